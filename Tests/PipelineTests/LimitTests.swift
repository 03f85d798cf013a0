import Foundation
import Host
import Run
import ScanPlan
import TestSupport
import Testing

extension Pipeline {
  /// Processes that the system gives too few descriptors, or files too small.
  @Suite struct LimitTests {
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = try folder.simulate(rows: 4, columns: 48, projections: 60)
    }

    private func arguments(_ name: String, rate: String = "1000") -> [String] {
      [
        "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file(name), "--run-folder",
        folder.file(name + "-run"),
        "--rotation-axis", "24",
        "--workers", "2", "--window-length", "6", "--final-iterations", "2", "--rate", rate, "--lag-max", "0",
        "--quiet", "--json",
      ]
    }

    /// Expects a clear failure that leaves nothing half-done, and a resume that ends as if nothing had happened.
    private func expectKept(
      _ outcome: Command.Outcome, like reference: RunResult, at location: SourceLocation = #_sourceLocation
    ) throws {
      guard case .exited(let code) = outcome.status, [71, 73, 74].contains(code) else {
        Issue.record("it ended with \(outcome.status): \(outcome.errors)", sourceLocation: location)
        return
      }
      #expect(
        outcome.errors.split(separator: "\n").count { $0.contains("error:") } == 1, "\(outcome.errors)",
        sourceLocation: location)
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder.file("out")).sorted() == [
          "outputs.json", "scan.yaml",
        ],
        sourceLocation: location)
      let plan = try JSONDecoder().decode(
        RunPlan.self, from: Data(contentsOf: URL(filePath: folder.file("out-run/plan.json"))))
      #expect(try regions(of: "\(plan.runID)").isEmpty, sourceLocation: location)
      let resumed = try Command(["resume", folder.file("out-run"), "--quiet", "--json"]).end()
      #expect(resumed.status == .exited(0), "\(resumed.errors)", sourceLocation: location)
      let result = try resumed.result()
      #expect(
        result.volumeSHA256 == reference.volumeSHA256 && result.lost == 0 && result.duplicates == 0,
        sourceLocation: location)
    }

    @Test(arguments: [9, 12])
    func `A run that may open too few files says so and leaves nothing half-done`(limit: Int) throws {
      let reference = try Command(arguments("reference")).end().result()
      let script = "ulimit -n \(limit) && exec \"$0\" \"$@\""
      let outcome = try Command(["-c", script, Command.executable] + arguments("out"), executable: "/bin/sh").end()
      #expect(outcome.errors.contains("Too many open files"), "\(outcome.errors)")
      try expectKept(outcome, like: reference)
    }

    @Test(arguments: [
      ("acquire", "fsize", "File too large"), ("export", "fsize", "File too large"),
      ("export", "nofile", "Too many open"),
    ])
    func `A stage that the system limits while it runs says so and leaves nothing half-done`(
      _ fault: (String, String, String)
    ) throws {
      let (stage, resource, fragment) = fault
      let reference = try Command(arguments("reference")).end().result()
      let command = try Command(arguments("out", rate: "40"))
      var pid: Int32?
      try wait("the stage has begun") {
        let data = FileManager.default.contents(atPath: folder.file("out-run/status.json"))
        let status = try data.map { try JSONDecoder().decode(RunStatus.self, from: $0) }
        pid = status?.stages.first { $0.name == stage }?.pid
        return FileManager.default.fileExists(atPath: folder.file("out-run/log/\(stage).jsonl")) && pid != nil
      }
      let limiting = try ChildProcess(
        executable: "/usr/bin/prlimit",
        arguments: ["--pid", "\(try #require(pid))", "--\(resource)=\(resource == "fsize" ? 4096 : 3)"])
      try #require(try limiting.waitForExit(timeout: .seconds(10)) == .exited(0))
      let outcome = try command.end()
      #expect(outcome.errors.contains(fragment), "\(outcome.errors)")
      try expectKept(outcome, like: reference)
    }
  }
}
