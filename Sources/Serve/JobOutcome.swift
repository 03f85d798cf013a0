import Host
import Run
import ScanPlan

/// What an attempt to reconstruct a scan of the queue came to: the content of its `outcome.json`.
struct JobOutcome: Codable, Sendable {
  /// What the process ended with.
  let exitCode: Int32
  /// Why there is no volume; nil where there is one.
  let failure: String?
  /// What came of it.
  let result: RunResult?
  /// What a person should know.
  let notices: [String]

  /// Whether another attempt may do better: not where the scan or its description is wrong.
  var mayBeTriedAgain: Bool {
    let final: [SysExit] = [.usage, .data, .noInput, .noPermission, .configuration]
    return !final.contains { $0.rawValue == exitCode }
  }

  static func path(in folder: String) -> String { "\(folder)/outcome.json" }

  /// Reads that of an entry; nil where its process left none.
  static func read(_ folder: String) throws(ScanFailure) -> JobOutcome? {
    try JSONFile.read(JobOutcome.self, path(in: folder))
  }

  func write(_ folder: String) throws { try JSONFile.write(self, to: Self.path(in: folder)) }
}
