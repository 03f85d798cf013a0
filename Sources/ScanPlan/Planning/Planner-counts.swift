import Glibc
import Host
import ScanFiles

// Whether the data are counts, and what has to be there for that.
extension Planner {
  /// Throws where counts lack what makes line integrals of them, or filters of counts get none; and where the program
  /// that denoises cannot be executed.
  func checkCounts(minusLog: Bool) throws {
    guard minusLog || (scan.zingers == nil && scan.paganin == nil) else {
      throw ScanFailure(
        .data,
        "\(scan.input) has no flat fields, and --zingers and --paganin work on counts; "
          + "--minus-log yes says that the data are counts"
      )
    }
    guard try !minusLog || info.hasFlats || !holdsCounts() else {
      throw ScanFailure(
        .data,
        "\(scan.input) has no flat fields, so there is no I₀ to divide its counts by: give --i0 COUNTS, or --i0 border "
          + "to take it from the projections' border; --minus-log no says that the data are line integrals"
      )
    }
    if case .program(let path) = scan.denoise, access(path, X_OK) != 0 {
      throw ScanFailure(.noInput, "--denoise program:\(path): \(Errno.current); name a program that can be executed")
    }
    if let path = scan.onGap?.program, access(path, X_OK) != 0 {
      throw ScanFailure(.noInput, "--on-gap program:\(path): \(Errno.current); name a program that can be executed")
    }
  }

  /// Whether data without flat fields are counts, and not transmissions, where the beam is one.
  private func holdsCounts() throws -> Bool {
    guard info.pixel == .float32 else { return true }
    guard let reader else { return false }
    let row = info.rows / 2..<info.rows / 2 + 1
    var line = [Float](repeating: 0, count: info.columns)
    try line.withUnsafeMutableBytes { try reader.readProjection(info.projectionCount / 2, rows: row, into: $0) }
    return line.sorted()[info.columns / 2] > 2
  }
}
