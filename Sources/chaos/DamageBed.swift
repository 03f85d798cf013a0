import Foundation
import Host
import Journal
import Run
import ScanFiles
import ScanPlan

/// A run that is there to be damaged again and again: a copy of its folders is kept, and put back each time.
struct DamageBed {
  let name: String
  /// Where the run writes to, and where its folder is.
  let output: String
  let scan: String
  let options: [String]
  private let program: String
  private let folder: String
  private let info: ScanInfo

  /// Images of the scan before its first projection.
  var fields: (darks: Int, flats: Int) { (info.darkCount, info.flatCount) }
  var projections: Int { info.projectionCount }

  private static let (rows, columns) = (4, 64)
  static let options = ["--window-step", "8", "--lag-max", "0"]

  /// Makes the run of a scan of its own; one that is cut off in the middle, with all of its machine, where
  /// `isCutOff`.
  init(_ name: String, projections: Int, isCutOff: Bool, program: String, folder: String) throws {
    (self.name, self.program, self.folder) = (name, program, folder)
    (output, scan) = ("\(folder)/\(name)", "\(folder)/\(name).h5")
    options = Self.options + (isCutOff ? ["--rate", "\(projections / 2)"] : [])
    let simulated = try Campaign.start(
      program,
      [
        "simulate", scan, "--rows", "\(Self.rows)", "--columns", "\(Self.columns)", "--projections", "\(projections)",
        "--flats", "4", "--darks", "3", "--quiet",
      ], faults: nil, output: "\(folder)/simulate.log")
    guard try simulated.waitForExit(timeout: Campaign.timeLimit) == .exited(0) else {
      throw ScanFailure(.software, "no scan: \(Campaign.complaints("\(folder)/simulate.log"))")
    }
    info = try openScan(path: scan).info
    let arguments = Campaign.arguments(scan, options, output: output)
    if isCutOff {
      try cutOff(arguments)
    } else {
      _ = try Campaign.reconstruct(program, arguments, output: output, faults: nil)
    }
    try FileManager.default.copyItem(atPath: output, toPath: output + Self.kept)
  }

  private static let kept = ".kept"

  private func cutOff(_ arguments: [String]) throws {
    let process = try Campaign.start(program, arguments, faults: nil, output: output + ".log")
    let run = RunFolder(path: Campaign.run(output)), deadline = ContinuousClock.now + Campaign.timeLimit
    // The status is not there at once.
    while try process.reap() == nil, ((try? run.readStatus().status.acquired) ?? 0) < projections / 2,
      ContinuousClock.now < deadline
    {
      Thread.sleep(forTimeInterval: 0.02)
    }
    try process.signal(SIGKILL)
    guard try process.waitForExit(timeout: Campaign.timeLimit) == .killed(signal: SIGKILL) else {
      throw ScanFailure(.software, "a run ended before it could be cut off: \(Campaign.complaints(output + ".log"))")
    }
    try run.removeRegions(timeout: .seconds(30))
  }

  /// Puts the run back as it was, and gives its journal of projections.
  func restore() throws -> DamagedJournal {
    try FileManager.default.removeItem(atPath: output)
    try FileManager.default.copyItem(atPath: output + Self.kept, toPath: output)
    let entry = try journal()
    return DamagedJournal(folder: entry.folder, stride: entry.stride, recordCount: Int(entry.report.nextSequence))
  }

  private func journal() throws -> RunJournals.Entry {
    let entries = try RunJournals(RunFolder(path: Campaign.run(output))).examine(depth: .everything)
    guard let entry = entries.first(where: { $0.topic == "projections" }) else {
      throw ScanFailure(.data, "the run has no projections")
    }
    guard entry.report.isIntact else {
      let found = entry.report.damages.map(\.description).joined(separator: "; ")
      throw ScanFailure(
        .data,
        "the journal of projections is damaged after a salvage: \(found); \(entry.report.segments), lost "
          + "\(entry.report.losses)")
    }
    return entry
  }

  /// What is left of the scan after a salvage: numbers of darks, flats and projections.
  func left() throws -> ScanExcerpt {
    let lost = try journal().report.losses
    func left(_ range: Range<Int>) -> [Int] {
      range.filter { number in !lost.contains { $0.contains(UInt64(number)) } }.map { $0 - range.lowerBound }
    }
    let (darks, fields) = (info.darkCount, info.darkCount + info.flatCount)
    return ScanExcerpt(
      darks: left(0..<darks), flats: left(darks..<fields), projections: left(fields..<fields + projections))
  }

  /// The checksum of the volume of a scan that has nothing but these images.
  func reference(_ left: ScanExcerpt) throws -> String? {
    let name = "\(folder)/reference"
    defer {
      for path in [name, name + ".h5"] { try? FileManager.default.removeItem(atPath: path) }
    }
    try left.write(of: scan, range: 180, to: name + ".h5")
    return try Campaign.reconstruct(
      program, Campaign.arguments(name + ".h5", Self.options, output: name), output: name, faults: nil
    ).0.volumeSHA256
  }
}
