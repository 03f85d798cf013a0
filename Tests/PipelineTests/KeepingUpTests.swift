import Foundation
import Host
import Journal
import Run
import TestSupport
import Testing

extension Pipeline {
  /// Sources that do not wait, and workers that cannot follow.
  @Suite struct KeepingUpTests {
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = folder.file("foam.h5")
      // More projections than the ring has slots.
      let outcome = try Command.run(
        "simulate", scan, "--rows", "4", "--columns", "48", "--projections", "700", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
    }

    private func reconstruct(_ name: String, _ options: [String], faults: String? = nil) throws -> Command.Outcome {
      try Command(
        [
          "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file(name), "--run-folder",
          folder.file(name + "-run"),
          "--rotation-axis", "24",
          "--workers", "2", "--window-length", "6", "--final-iterations", "2", "--json",
        ] + options, faults: faults
      ).end()
    }

    /// When the log of a stage says something for the first time, in the run's own time; nil if it never does.
    private func time(_ text: String, of stage: String, in run: String) throws -> String? {
      let log = try String(contentsOfFile: folder.file("\(run)/log/\(stage).jsonl"), encoding: .utf8)
      return try log.split(separator: "\n").map { try JSONDecoder().decode([String: String].self, from: Data($0.utf8)) }
        .first { $0["message"]?.contains(text) == true }?["time"]
    }

    @Test func `A worker that is stopped does not stop the acquisition, and reads later what it missed`() throws {
      let reference = try reconstruct("reference", []).result()
      let outcome = try reconstruct(
        "out", ["--rate", "2000", "--lag-max", "0"], faults: "reconstruct.1=unreleased:20:stop")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.volumeSHA256 == reference.volumeSHA256)
      #expect(result.projections == 700 && result.lost == 0 && result.duplicates == 0)
      // ISO 8601: the order of the texts is that of the times.
      let acquired = try #require(try time("finished", of: "acquire", in: "out-run"))
      let killed = try #require(try time("killed reconstruct.1, which hung", of: "supervisor", in: "out-run"))
      #expect(acquired < killed)
      // Where other processes have no core at first, one of these is behind as well: ProgressObserverTests say which is
      // named.
      #expect(
        outcome.errors.contains(/(distribute|reconstruct\.[01]) does not keep up: projections wait for it on disk/),
        "\(outcome.errors)")
      let data = try Data(contentsOf: URL(filePath: folder.file("out-run/status.json")))
      #expect(try JSONDecoder().decode(RunStatus.self, from: data).spilled > 0)
    }

    @Test func `Updates become fewer for a worker that is behind, and stages that die on the way change nothing else`()
      throws
    {
      let orders =
        "reconstruct.0=unreleased:30:stop,flip-before:9;distribute=orders-half:200,unreleased:90;acquire=committed:300"
      let outcome = try reconstruct("out", ["--rate", "2000", "--lag-max", "10"], faults: orders)
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.projections == 700 && result.lost == 0 && result.duplicates == 0)
      #expect(result.updates < 650, "\(result.updates) updates")
      #expect(
        result.restarts["reconstruct.0"] == 2 && result.restarts["distribute"] == 2 && result.restarts["acquire"] == 1)
      // Both workers were told the same, and did it: each update and each block's iteration of the sweep is an event.
      let journals = try RunJournals(RunFolder(path: folder.file("out-run"))).examine(depth: .everything)
      let ends = Dictionary(uniqueKeysWithValues: journals.map { ($0.topic, $0.report.nextSequence) })
      #expect(ends["orders.0"] == ends["orders.1"] && ends["updates.0"] == ends["updates.1"], "\(ends)")
      #expect(journals.allSatisfy { $0.report.damages.isEmpty })
    }
  }
}
