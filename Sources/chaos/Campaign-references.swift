import Foundation
import Host
import Run
import RunModel
import ScanFiles
import ScanPlan

// What a run has to come to: the result of one without faults.
extension Campaign {
  static let (columns, range) = (64, 180.0)

  /// Writes the scan that all runs reconstruct.
  func simulate() throws {
    let simulated = try Self.start(
      program,
      [
        "simulate", Self.scan(folder, projections), "--rows", "\(rows)", "--columns", "\(Self.columns)",
        "--projections", "\(projections)", "--range", "\(Self.range)", "--quiet",
      ], faults: nil, output: folder + "/simulate.log")
    guard try simulated.waitForExit(timeout: Self.timeLimit) == .exited(0) else {
      throw ScanFailure(.software, "the scan could not be simulated: \(Self.complaints(folder + "/simulate.log"))")
    }
  }

  /// The file with the first projections of the scan.
  static func scan(_ folder: String, _ count: Int) -> String { "\(folder)/scan\(count).h5" }

  /// Compares what a run came to with the run without faults that has as many projections.
  mutating func compare(_ result: RunResult, _ scenario: Scenario, _ story: String) throws {
    let hasEnded = !scenario.endings.isEmpty && result.projections < projections
    if hasEnded, !result.stoppedBy.hasPrefix("finalized by control") || result.projections < Scenario.projectionsMin {
      report.failed.append("\(story): \(result.projections) projections, ended by \(result.stoppedBy)")
      return
    }
    report.finalized += hasEnded ? 1 : 0
    let expected = try reference(scenario, projections: hasEnded ? result.projections : projections)
    report.lost += result.lost + (expected.projections - result.projections)
    report.duplicated += result.duplicates
    if result.volumeSHA256 != expected.volumeSHA256 || result.denoisedSHA256 != expected.denoisedSHA256 {
      report.differing += 1
      report.failed.append("\(story): other bits")
    }
  }

  /// The run without faults and without an early end, of the scan's first projections; made once.
  mutating func reference(_ scenario: Scenario, projections: Int) throws -> RunResult {
    let name = Self.referenceName(scenario, projections)
    if let known = references[name] { return known }
    if projections < self.projections { try shorten(to: projections) }
    let (result, _) = try Self.reconstruct(
      program, Self.arguments(Self.scan(folder, projections), scenario.options, output: "\(folder)/\(name)"),
      output: "\(folder)/\(name)",
      faults: nil)
    scores[name] = try RunHistory(RunFolder(path: Self.run("\(folder)/\(name)"))).scores
    try FileManager.default.removeItem(atPath: "\(folder)/\(name)")
    guard result.projections == projections, result.volumeSHA256 != nil else {
      throw ScanFailure(.software, "a run without faults of \(projections) projections used \(result.projections)")
    }
    references[name] = result
    return result
  }

  /// The scores of the run without faults over the whole scan.
  mutating func referenceScores(_ scenario: Scenario) throws -> [ScoreEvent] {
    _ = try reference(scenario, projections: projections)
    return scores[Self.referenceName(scenario, projections)] ?? []
  }

  private static func referenceName(_ scenario: Scenario, _ projections: Int) -> String {
    "reference-\(scenario.name)-\(projections)"
  }

  /// Writes the scan's first projections as a scan of their own.
  private func shorten(to count: Int) throws {
    let info = try openScan(path: Self.scan(folder, projections)).info
    let excerpt = ScanExcerpt(
      darks: Array(0..<info.darkCount), flats: Array(0..<info.flatCount), projections: Array(0..<count))
    try excerpt.write(of: Self.scan(folder, projections), range: Self.range, to: Self.scan(folder, count))
  }
}
