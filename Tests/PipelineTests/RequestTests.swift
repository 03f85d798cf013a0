import Foundation
import Glibc
import Host
import Journal
import Rings
import Run
import RunModel
import ScanPlan
import TestSupport
import Testing

extension Pipeline {
  /// What people ask of a running run.
  @Suite struct RequestTests {
    private let folder: TestFolder
    private let scan: String
    private static let projections = 180

    init() throws {
      folder = try TestFolder()
      scan = folder.file("foam.h5")
      let outcome = try Command.run(
        "simulate", scan, "--rows", "4", "--columns", "48", "--projections", "\(Self.projections)", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
    }

    private var run: String { folder.file("run") }

    /// A run that acquires for ten seconds and more, as soon as it makes updates.
    private func start(faults: String? = nil, _ options: String...) throws -> (Command, RunStatus) {
      let command = try Command(
        [
          "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file("out"), "--run-folder", run,
          "--rotation-axis", "24", "--rate",
          "15", "--lag-max",
          "0",
          "--workers", "2", "--window-length", "6", "--final-iterations", "2", "--json",
        ] + options, faults: faults)
      var status: RunStatus?
      try wait("the run makes updates") {
        status = try FileManager.default.contents(atPath: run + "/status.json").map {
          try JSONDecoder().decode(RunStatus.self, from: $0)
        }
        return (status?.updates ?? 0) > 0
      }
      return (command, try #require(status))
    }

    private func request(_ kind: String, by person: String? = "anna") throws -> Command.Outcome {
      try Command([kind, run] + (person.map { ["--by", $0] } ?? [])).end()
    }

    @Test(arguments: ["durable", "memory"]) func `A run that is finalized exports what was acquired and says who asked`(
      durability: String
    ) throws {
      // Enough to do at the end for somebody to ask again before it.
      let (command, _) = try start("--durability", durability, "--final-iterations", "5000")
      #expect(try request("finalize").status == .exited(0))
      #expect(try request("finalize", by: "somebody else").status == .exited(0))
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(
        result.stoppedBy == "finalized by anna" && outcome.errors.contains("finalized by anna: finishing"),
        "\(outcome.errors)")
      #expect((1..<Self.projections).contains(result.projections) && result.lost == 0 && result.outputs.count == 5)
      #expect(result.restarts.values.allSatisfy { $0 == 0 })
      let late = try request("finalize")
      expectFailure(69, late, "not running", "slipring status")
    }

    @Test func `A run that is aborted leaves no output, and resume goes on with it`() throws {
      let (command, status) = try start()
      #expect(try request("abort", by: nil).status == .exited(0))
      let outcome = try command.end()
      expectFailure(75, outcome, "aborted by", "slipring resume")
      #expect(try regions(of: status.run).isEmpty)
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder.file("out")).sorted() == [
          "outputs.json", "scan.yaml",
        ])
      let resumed = try Command(["resume", run, "--quiet", "--json"]).end()
      #expect(resumed.status == .exited(0), "\(resumed.errors)")
      let result = try resumed.result()
      #expect(result.projections == Self.projections && result.stoppedBy == "end of scan")
    }

    /// The running run's projections.
    private func ring() throws -> Ring {
      let plan = try JSONDecoder().decode(RunPlan.self, from: Data(contentsOf: URL(filePath: run + "/plan.json")))
      let names = try #require(try RegionNames.find(plan.runID).first)
      return try Ring.attach(
        name: names.ring(.projections), expecting: plan.ring(.projections).identity)
    }

    @Test func `What acquire had taken when the supervisor was killed is kept when the run goes on`() throws {
      let (command, _) = try start(faults: "acquire=committed:60:stop")
      let ring = try ring()
      try wait("acquire stops") { ring.progress.committed >= 60 }
      try command.process.signal(SIGKILL)
      #expect(try command.end().status == .killed(signal: SIGKILL))
      // Its memory outlives it, until somebody sees to it. Where acquire had been taken for hung by then, its successor
      // may have nothing under way.
      let left = ring.progress.committed - ring.progress.published
      let resumed = try Command(["resume", run, "--json"]).end()
      #expect(
        left == 0 || resumed.errors.contains("kept \(left) image"), "\(resumed.errors)")
      let result = try resumed.result()
      #expect(result.projections == Self.projections && result.lost == 0 && result.duplicates == 0)
    }

    @Test func `What acquire had taken when the run was aborted is on disk, also what was on its way there`() throws {
      // Stopped right behind a commit, before its journal has seen it.
      let (command, _) = try start(faults: "acquire=committed:60:stop")
      let ring = try ring()
      try wait("acquire stops") { ring.progress.committed >= 60 }
      let committed = ring.progress.committed
      #expect(try request("abort").status == .exited(0))
      #expect(try command.end().status == .exited(75))
      let journals = try RunJournals(RunFolder(path: run)).examine(depth: .everything)
      #expect(try #require(journals.first { $0.topic == "projections" }).report.nextSequence >= committed)
      let resumed = try Command(["resume", run, "--quiet", "--json"]).end().result()
      #expect(resumed.projections == Self.projections && resumed.duplicates == 0)
    }

    @Test(arguments: [
      "control=command-before:1", "control=command-after:1", "control=command-before:1,command-after:1",
      "control=submit:1",
      "control=completion:1", "control=command-after:1;acquire=time:1500", "control=time:1,time:1,command-before:1",
    ])
    func `Whatever dies between a request and its answer, the run is finalized once`(faults: String) throws {
      let (command, _) = try start(faults: faults)
      #expect(try request("finalize").status == .exited(0))
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(faults): \(outcome.errors)")
      let result = try outcome.result()
      #expect(
        result.stoppedBy == "finalized by anna" && result.projections < Self.projections && result.lost == 0,
        "\(faults): \(result)")
      let journals = try RunJournals(RunFolder(path: run)).examine(depth: .everything)
      #expect(journals.first { $0.topic == "commands" }?.report.nextSequence == 1, "\(faults)")
    }

    @Test func `A request outlives the machine`() throws {
      let (command, _) = try start(faults: "control=command-before:1:stop")
      #expect(try request("finalize").status == .exited(0))
      try command.process.signal(SIGKILL)
      #expect(try command.end().status == .killed(signal: SIGKILL))
      try RunFolder(path: run).removeRegions(timeout: .seconds(10))
      let resumed = try Command(["resume", run, "--quiet", "--json"]).end()
      #expect(resumed.status == .exited(0), "\(resumed.errors)")
      let result = try resumed.result()
      #expect(result.stoppedBy == "finalized by anna" && result.projections < Self.projections)
    }

    @Test func `A volume that was finalized has the bits of a scan that ended there`() throws {
      let (command, _) = try start(faults: "control=command-after:1;reconstruct.1=flip-before:3")
      #expect(try request("finalize").status == .exited(0))
      let finalized = try command.end().result()
      try #require((1..<Self.projections).contains(finalized.projections))
      let short = folder.file("short.h5")
      try copyScan(scan, to: short, projections: Array(0..<finalized.projections), degrees: 1)
      let whole = try Command.run(
        "recon", short, "--algorithm", "sirt", "--output-folder", folder.file("short"), "--rotation-axis", "24",
        "--workers", "1",
        "--window-length", "6",
        "--final-iterations", "2", "--quiet", "--json"
      ).result()
      #expect(whole.volumeSHA256 == finalized.volumeSHA256 && whole.stoppedBy == "end of scan")
    }

    @Test func `A request to no run, or without a name, is refused`() throws {
      expectFailure(66, try Command.run("finalize", folder.file("nowhere")), "not the folder of a run")
      let (command, _) = try start()
      expectFailure(64, try request("abort", by: ""), "name")
      expectFailure(64, try request("abort", by: "two\nlines"), "name")
      #expect(try request("abort").status == .exited(0))
      #expect(try command.end().status == .exited(75))
    }
  }
}
