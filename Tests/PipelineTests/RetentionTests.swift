import Foundation
import Glibc
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// How long the folders of runs stay.
  @Suite struct RetentionTests {
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = try folder.simulate(rows: 3, columns: 32, projections: 10)
    }

    private func recon(_ name: String, _ retain: String, _ options: String..., faults: String? = nil) throws
      -> Command.Outcome
    {
      try Command(
        [
          "recon", scan, "--output-folder", folder.file(name), "--run-folder", folder.file("runs/\(name)"),
          "--rotation-axis", "16",
          "--workers", "1", "--final-iterations", "1", "--retain", retain,
        ] + options, faults: faults
      ).end()
    }

    private func age(_ name: String, days: Double) throws {
      let date = Date.now - days * 86_400
      try FileManager.default.setAttributes(
        [.modificationDate: date], ofItemAtPath: folder.file("runs/\(name)/status.json"))
    }

    private func runs() throws -> [String] {
      try FileManager.default.contentsOfDirectory(atPath: folder.file("runs")).sorted()
    }

    @Test func `A finished run is removed when its days are over, by a run beside it, and nothing else is`() throws {
      for (name, retain) in [
        ("kept", "keep"), ("old", "2"), ("young", "2"), ("failed", "2"), ("moved", "2"), ("busy", "2"),
      ] {
        let outcome = try recon(name, retain, "--quiet")
        try #require(outcome.status == .exited(0), "\(outcome.errors)")
      }
      let runs = folder.file("runs")
      // What does not say that it finished, lies elsewhere than it was made, or is no run at all.
      try rewrite("\(runs)/failed/status.json") { $0.replacing("\"finished\"", with: "\"failed\"") }
      for name in ["kept", "old", "failed", "moved", "busy"] { try age(name, days: 2.1) }
      try age("young", days: 1.9)
      try FileManager.default.moveItem(atPath: "\(runs)/moved", toPath: "\(runs)/elsewhere")
      try FileManager.default.createDirectory(atPath: "\(runs)/notes", withIntermediateDirectories: false)
      try "{}".write(toFile: "\(runs)/notes/plan.json", atomically: true, encoding: .utf8)
      #expect(symlink("\(runs)/old", "\(runs)/zlink") == 0)
      // A run that is being resumed holds its lock.
      let lock = try #require(try LockFile(path: "\(runs)/busy/lock"))
      defer { withExtendedLifetime(lock) {} }
      let next = try recon("next", "keep")
      #expect(
        next.status == .exited(0) && next.errors.contains("removed \(runs)/old, whose days are over"), "\(next.errors)")
      #expect(try self.runs() == ["busy", "elsewhere", "failed", "kept", "next", "notes", "young", "zlink"])
      #expect(FileManager.default.fileExists(atPath: folder.file("old/foam_rec.h5")))
      #expect(FileManager.default.fileExists(atPath: "\(runs)/kept/journal"))
    }

    @Test(arguments: ["0", "-1", "soon", "1.5"]) func `Days that are none are refused`(days: String) throws {
      let outcome = try recon("out", days, "--quiet")
      #expect(outcome.status == .exited(64) && outcome.errors.contains("--retain"), "\(outcome.errors)")
    }

    @Test(arguments: ["8", "16", "32"]) func `A run folder goes only after the output was read back`(bits: String)
      throws
    {
      let outcome = try recon("out", "none", "--bits", bits, "--quiet", "--json")
      #expect(
        outcome.status == .exited(0) && !FileManager.default.fileExists(atPath: folder.file("runs/out")),
        "\(outcome.errors)")
      #expect(try outcome.result().outputs.allSatisfy { FileManager.default.fileExists(atPath: $0) })
    }
  }
}
