import Foundation
import Glibc
import Host
import Run
import TestSupport
import Testing

/// Runs of a small scan by two workers, whose machine dies when it is told to.
struct KilledRuns {
  let folder: TestFolder
  let scan: String
  /// The sequence of the first projection: behind two darks and three flats.
  static let firstProjection = 5
  /// Projections of the scan.
  static let projections = 60
  private static let (rows, columns) = (6, 48)

  init() throws {
    folder = try TestFolder()
    scan = folder.file("foam.h5")
    try Self.foam.get().write(to: URL(filePath: scan))
  }

  /// The scan's bytes, made once.
  private static let foam = Result {
    let folder = try TestFolder()
    let outcome = try Command.run(
      "simulate", folder.file("foam.h5"), "--rows", "\(Self.rows)", "--columns", "\(Self.columns)", "--projections",
      "\(Self.projections)", "--flats", "3", "--darks", "2", "--quiet")
    try #require(outcome.status == .exited(0), "\(outcome.errors)")
    return try Data(contentsOf: URL(filePath: folder.file("foam.h5")))
  }

  /// What a run comes to that nothing happens to, made once.
  static let undisturbed = Result { try KilledRuns().reference() }

  /// The folder of the run that writes to `name`.
  func run(_ name: String) -> String { folder.file(name + "-run") }

  func recon(_ name: String, _ options: String...) throws -> Command { try recon(name, options) }

  func recon(_ name: String, _ options: [String]) throws -> Command {
    try Command(
      [
        "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file(name), "--run-folder", run(name),
        "--rotation-axis", "24",
        "--workers", "2",
        "--window-length", "6", "--final-iterations", "3", "--checkpoint-every", "7", "--quiet", "--json",
      ] + options)
  }

  /// A run that nothing happens to.
  func reference() throws -> RunResult { try recon("reference").end().result() }

  func resume(_ name: String) throws -> Command.Outcome {
    try Command(["resume", run(name), "--quiet", "--json"]).end()
  }

  /// How far the run is or was.
  func status(_ name: String) throws -> RunStatus {
    try JSONDecoder().decode(RunStatus.self, from: Data(contentsOf: URL(filePath: run(name) + "/status.json")))
  }

  /// What every update of the run left of the data, as its export says.
  func residuals(_ name: String) throws -> [Double] {
    let report =
      try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: run(name) + "/export.json")))
      as? [String: Any]
    return try ["windowResiduals", "finalResiduals"].flatMap { try #require(report?[$0] as? [Double]) }
  }

  /// A new run whose power is cut.
  func cutPower(_ name: String, after updates: Int) throws {
    // The status is written once a second: the run goes on for longer than that behind any of these updates.
    try cutPower(recon(name, "--rate", "15", "--lag-max", "0"), name, after: updates)
  }

  /// Kills the supervisor once the run has made some updates, and deletes all of its shared memory: what a power cut
  /// leaves is on disk.
  func cutPower(_ command: Command, _ name: String, after updates: Int) throws {
    try wait("\(updates) updates") {
      let data = FileManager.default.contents(atPath: run(name) + "/status.json")
      return try data.map { try JSONDecoder().decode(RunStatus.self, from: $0).updates >= updates } ?? false
    }
    try command.process.signal(SIGKILL)
    #expect(try command.end().status == .killed(signal: SIGKILL))
    try RunFolder(path: run(name)).removeRegions(timeout: .seconds(10))
  }

  /// Writes noise into a record of a topic's journal: into its header, or at another offset.
  func damage(_ name: String, _ topic: String, record: Int, offset: Int = 64) throws {
    let journal = run(name) + "/journal/" + (topic == "projections" ? "projections.0" : topic)
    let firsts = try FileManager.default.contentsOfDirectory(atPath: journal).filter { $0.hasSuffix(".segment") }
    let segment = try #require(firsts.sorted().last { Int($0.prefix(20)) ?? .max <= record })
    let first = try #require(Int(segment.prefix(20)))
    let stride = 4096 + (topic == "projections" ? (Self.rows * Self.columns * 2 + 4095) / 4096 * 4096 : 0)
    let file = try FileHandle(forUpdating: URL(filePath: "\(journal)/\(segment)"))
    try file.seek(toOffset: UInt64(4096 + (record - first) * stride + offset))
    try file.write(contentsOf: Data([0xAA, 0x55, 0xAA]))
    try file.close()
  }
}
