import Foundation
import Glibc
import Host
import Run
import Serve
import TestSupport
import Testing

/// What tests of `slipring serve` share: scans, a serve.yaml with one detector, and its queue.
struct ServedFolder {
  let folder: TestFolder
  /// What every scan is reconstructed with.
  static let options = [
    "algorithm: sirt", "final-iterations: 2", "window-length: 6", "workers: 2", "rotation-axis: 24",
  ]

  init(_ folder: TestFolder) { self.folder = folder }

  struct Scan {
    let name: String
    let path: String
    let (rows, columns, projections): (Int, Int, Int)
  }

  /// A scan with two darks and three flats, as a file and as its images one after the other.
  func scan(_ name: String, rows: Int = 5, columns: Int = 48, projections: Int = 60, seed: Int = 1) throws
    -> Scan
  {
    let path = folder.file("\(name).h5")
    let outcome = try Command.run(
      "simulate", path, "--rows", "\(rows)", "--columns", "\(columns)", "--projections", "\(projections)", "--darks",
      "2", "--flats", "3", "--seed", "\(seed)", "--quiet")
    try #require(outcome.status == .exited(0), "\(outcome.errors)")
    try Senders.writeRaw(path, to: folder.file("\(name).raw"), fields: true)
    return Scan(name: name, path: path, rows: rows, columns: columns, projections: projections)
  }

  /// What the sender is told of a scan.
  func words(_ scan: Scan, _ what: String...) -> String {
    ([scan.name, folder.file("\(scan.name).raw")]
      + [scan.rows, scan.columns, 2, 3, scan.projections].map { "\($0)" } + what).joined(separator: ":")
  }

  func volume(_ scan: Scan) throws -> String? {
    let outcome = try Command.run(
      "recon", scan.path, "--output-folder", folder.file("reference-\(scan.name)"), "--algorithm", "sirt",
      "--final-iterations", "2", "--window-length", "6", "--workers", "2", "--rotation-axis", "24", "--quiet",
      "--json")
    try #require(outcome.status == .exited(0), "\(outcome.errors)")
    return try outcome.result().volumeSHA256
  }

  /// Writes serve.yaml with one source; gives its path.
  func serveFile(_ address: String, _ options: [String]? = nil) throws -> String {
    try (options ?? Self.options).joined(separator: "\n").write(
      toFile: folder.file("scan.yaml"), atomically: true, encoding: .utf8)
    let text = """
      folder: served
      output: "{sample}_{number}"
      sources:
        camera:
          address: \(address)
          scan: scan.yaml
          silence: 3
      """
    try text.write(toFile: folder.file("serve.yaml"), atomically: true, encoding: .utf8)
    return folder.file("serve.yaml")
  }

  var queue: ScanQueue { ScanQueue(folder: folder.file("served")) }

  func queued() throws -> [QueueEntry] {
    guard access(folder.file("served/queue"), F_OK) == 0 else { return [] }
    return try queue.numbers().compactMap { try queue.entry($0) }
  }

  /// Waits until there are so many scans and nothing is to be done with any.
  func settled(_ count: Int, _ server: Command, within limit: Duration = .seconds(90)) throws -> [QueueEntry] {
    let deadline = Deadline(after: limit)
    while true {
      let entries = try queued()
      if entries.count >= count, entries.allSatisfy(\.isOver) { return entries }
      guard !deadline.hasPassed else {
        Issue.record("after \(limit): \(entries); \(try server.errorsSoFar())")
        return entries
      }
      usleep(50_000)
    }
  }

  @discardableResult func stop(_ server: Command) throws -> String {
    try server.process.signal(SIGTERM)
    let outcome = try server.end(within: .seconds(40))
    #expect(outcome.status == .exited(0), "\(outcome.errors)")
    return outcome.errors
  }
}
