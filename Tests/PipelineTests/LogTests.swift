import Foundation
import Glibc
import Host
import TestSupport
import Testing

extension Pipeline {
  /// What a run leaves in its logs.
  @Suite struct LogTests {
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = try folder.simulate(rows: 2, columns: 32, projections: 40)
    }

    /// The lines of all logs of a run, each with its fields.
    private func run(_ options: String..., faults: String? = nil) throws -> [[String: String]] {
      let outcome = try Command(
        [
          "recon", scan, "--output-folder", folder.file("out"), "--run-folder", folder.file("run"),
          "--algorithm", "sirt", "--final-iterations", "1", "--quiet",
        ]
          + options, faults: faults
      ).end()
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      return try folder.names(in: "run/log").flatMap { name in
        let text = try String(contentsOfFile: folder.file("run/log/\(name)"), encoding: .utf8)
        return try text.split(separator: "\n").map {
          try JSONDecoder().decode([String: String].self, from: Data($0.utf8))
        }
      }
    }

    @Test func `Restarts, decisions and ends are each one line with time, level, stage and message`() throws {
      let lines = try run(faults: "acquire=committed:9;reconstruct.0=flip-after:3")
      #expect(
        lines.allSatisfy { line in ["time", "level", "stage", "message"].allSatisfy { line[$0]?.isEmpty == false } })
      for (message, level) in [
        ("starting acquire again", "warning"), ("starting reconstruct.0 again", "warning"),
        ("rotation axis found at", "notice"),
        ("finished", "notice"), ("started acquire", "info"),
      ] {
        let found = lines.filter { $0["stage"] == "supervisor" && $0["message"]?.hasPrefix(message) == true }
        #expect(
          found.count == (message == "started acquire" ? 2 : 1) && found.allSatisfy { $0["level"] == level },
          "\(message): \(found)")
      }
      #expect(
        lines.contains { $0["message"] == "finished" && $0["stage"] == "reconstruct.0" && $0["peakBytes"] != nil })
    }

    @Test func `Logs that cannot be written stop no run`() throws {
      let logs = folder.file("run/log")
      try FileManager.default.createDirectory(atPath: logs + "/supervisor.jsonl", withIntermediateDirectories: true)
      try #require(mkfifo(logs + "/acquire.jsonl", 0o600) == 0 && symlink("x", logs + "/reconstruct.0.jsonl") == 0)
      let outcome = try Command.run(
        "recon", scan, "--output-folder", folder.file("out"), "--run-folder", folder.file("run"),
        "--final-iterations", "1")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      for name in ["supervisor", "acquire", "reconstruct.0"] {
        #expect(outcome.errors.contains("cannot write the log \(logs)/\(name).jsonl"), "\(outcome.errors)")
      }
    }

    @Test func `A level leaves out what is less serious`() throws {
      let lines = try run("--log-level", "warning", faults: "acquire=committed:9")
      #expect(lines.map { $0["level"] } == ["warning"] && lines[0]["message"] == "starting acquire again", "\(lines)")
    }
  }
}
