import Glibc
import Host

/// A run that is over, for who wants its rotation axis.
struct RunBefore {
  /// Its folder, or its output's: both have its scan file.
  let folder: String

  private var scanFile: String { "\(folder)/scan.yaml" }
  /// What every run writes when its export is complete.
  private var report: String { "\(folder)/export.json" }

  /// Its rotation axis, in pixels of the detector.
  /// - Throws: `.noInput` where there is no run, `.data` where it has none: of a live scan it stands there once the
  ///   scan is over.
  func axis() throws(ScanFailure) -> Double {
    guard access(scanFile, R_OK) == 0 else {
      throw ScanFailure(.noInput, "--rotation-axis from:\(folder): there is no run, \(scanFile) cannot be read")
    }
    guard case .pixels(let axis) = try ScanFile(path: scanFile).scan.rotationAxis else {
      throw ScanFailure(.data, "--rotation-axis from:\(folder): that run has not found its rotation axis")
    }
    return axis
  }

  /// What a description says of the axis, where the newest finished run that has one stands in place of `last`.
  /// - Throws: `.noInput` where there is none.
  static func named(by scan: ScanDescription) throws(ScanFailure) -> RotationAxis {
    guard scan.rotationAxis == .lastRun else { return scan.rotationAxis }
    let own = scan.runFolder.map(absolutePath)
    let parent = own.map { folderName(of: $0) } ?? absolutePath(scan.outputFolder)
    let finished = ((try? Folder(parent).names()) ?? []).compactMap { name -> (run: RunBefore, time: timespec)? in
      let run = RunBefore(folder: "\(parent)/\(name)")
      var file = stat()
      guard run.folder != own, stat(run.report, &file) == 0, (try? run.axis()) != nil else { return nil }
      return (run, file.st_mtim)
    }
    let newest = finished.max { ($0.time.tv_sec, $0.time.tv_nsec) < ($1.time.tv_sec, $1.time.tv_nsec) }
    guard let newest else {
      throw ScanFailure(
        .noInput, "--rotation-axis last: there is no finished run in \(parent); give pixels, auto or from:RUN-FOLDER")
    }
    return .run(newest.run.folder)
  }
}

extension ScanDescription {
  /// Puts pixels in place of a run whose axis is taken, for who goes on in other folders.
  /// - Throws: as `RunBefore` where there is no such run, or it has not found its axis.
  package mutating func settleRotationAxis() throws(ScanFailure) {
    guard case .run(let folder) = try RunBefore.named(by: self) else { return }
    rotationAxis = .pixels(try RunBefore(folder: folder).axis())
  }

  /// Names the run whose axis is taken wherever this is read.
  mutating func makeAxisPathAbsolute() {
    if case .run(let folder) = rotationAxis { rotationAxis = .run(absolutePath(folder)) }
  }
}
