import Foundation
import Glibc
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// Live scans that are tried with faults before there is a detector.
  @Suite struct RehearseTests {
    private let folder: TestFolder

    /// What `--json` prints, as far as it is looked at here.
    private struct Report: Decodable, Equatable {
      struct Fault: Decodable, Equatable {
        let fault: String
        let target: String?
        let done: Double?
        let seen: String
      }
      struct Expectation: Decodable, Equatable {
        let expectation: String
        let seen: String
        let verdict: String
      }
      let predictions: [String]
      let faults: [Fault]
      let expectations: [Expectation]

      /// What two rehearsals of one seed have in common.
      var table: [String] {
        faults.map { "\($0.fault) \($0.target ?? "") \($0.done != nil)" }
          + expectations.map { "\($0.expectation) \($0.verdict)" }
      }

      func seen(_ expectation: String) -> String? { expectations.first { $0.expectation == expectation }?.seen }
    }

    init() throws { folder = try TestFolder() }

    /// Writes a scan file and a plan, and starts their rehearsal.
    private func rehearse(
      shape: String, projections: Int, _ plan: String, _ options: [String] = [], window: Int = 6, scan: [String] = []
    ) throws -> Command {
      let lines = [
        "input: zmq+pull://192.0.2.1:9999", "output-folder: \(folder.file("out"))", "shape: \(shape)",
        "projections: \(projections)", "darks: 2", "flats: 3", "algorithm: sirt", "window-length: \(window)",
        "final-iterations: 2", "lag-max: 0", "rotation-axis: \(shape.hasSuffix("256") ? 128 : 32)", "workers: 2",
        "format: hdf5", "checkpoint-every: 7",
      ]
      try Data((lines + scan).joined(separator: "\n").utf8).write(to: URL(filePath: folder.file("scan.yaml")))
      try Data(plan.utf8).write(to: URL(filePath: folder.file("faults.yaml")))
      return try Command(
        ["rehearse", folder.file("scan.yaml"), "--plan", folder.file("faults.yaml"), "--json"] + options)
    }

    private func report(_ outcome: Command.Outcome) throws -> Report {
      try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
    }

    /// Nothing but the two files is left.
    private func expectNothingLeft(at location: SourceLocation = #_sourceLocation) throws {
      #expect(try folder.names() == ["faults.yaml", "scan.yaml"], sourceLocation: location)
    }

    @Test func `A run that bears a cut and a killed worker holds everything, and leaves nothing behind`() throws {
      let plan = """
        memory: 90
        faults:
          - at 300ms: link down 500ms
          - at 1200ms: kill reconstruct.0
        expect:
          - lost <= 0
          - overrun <= 0
          - restarts = 1
          - exit = 0
          - seconds <= 60
          - latency-p99 <= 20s
          - volume = same
        """
      let outcome = try rehearse(shape: "16,64", projections: 120, plan, ["--detector", "@60"]).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)\(outcome.output)")
      let report = try report(outcome)
      #expect(report.expectations.allSatisfy { $0.verdict == "holds" }, "\(report)")
      #expect(report.seen("volume = same") == "same")
      #expect(report.faults[0].seen.hasPrefix("up again after") && report.faults[1].seen.hasPrefix("started again"))
      #expect((report.faults[0].done ?? 0) >= 0.3 && (report.faults[1].done ?? 0) >= 1.2, "\(report.faults)")
      #expect(report.predictions.last == "lost: none for want of room")
      try expectNothingLeft()
    }

    @Test(arguments: ["link 4mbit", "link down 1200ms"])
    func `A link that is too slow, and a memory that is too small for a cut, are found, and foretold`(fault: String)
      throws
    {
      let plan = "memory: 10\nfaults:\n  - at 200ms: \(fault)\nexpect:\n  - lost <= 0\n  - overrun <= 0\n  - exit = 0"
      let outcome = try rehearse(shape: "64,256", projections: 100, plan, ["--detector", "@50"]).end()
      expectFailure(65, outcome, "the rehearsal failed: 2 of 3 expectations do not hold")
      let report = try report(outcome)
      #expect(report.expectations.map(\.verdict) == ["broken", "broken", "holds"], "\(report)")
      let lost = try #require(report.seen("lost <= 0").flatMap(Int.init))
      #expect(report.seen("overrun <= 0") == "\(lost)")
      let words = try #require(report.predictions.last?.wholeMatch(of: /lost: about ([0-9]+) of 100 frames.*/))
      let foretold = try #require(Int(words.1))
      // What the connection holds besides the memory makes it fewer; a machine that is busy measures fewer, too.
      #expect(lost > 5 && lost <= foretold + 2, "\(lost) of \(foretold)")
      try expectNothingLeft()
    }

    @Test func `Two rehearsals of one seed have the same faults and verdicts`() throws {
      let plan = """
        memory: 60
        faults:
          - at 200ms: kill any
          - at 400ms: detector pause 200ms
          - at 800ms: kill any
        expect:
          - restarts = 2
          - exit = 0
          - seconds <= 1
        """
      let tables = try (0..<2).map { _ in
        let outcome = try rehearse(
          shape: "16,64", projections: 60, plan, ["--detector", "@40", "--seed", "7"], scan: ["source-timeout: 5"]
        ).end()
        #expect(outcome.status == .exited(65), "\(outcome.errors)")
        return try report(outcome).table
      }
      #expect(tables[0] == tables[1])
      #expect(tables[0].suffix(3) == ["restarts = 2 holds", "exit = 0 holds", "seconds <= 1 broken"], "\(tables[0])")
    }

    @Test(.enabled(if: SmallDisk.isAvailable, "mounting a small file system takes root with CAP_SYS_ADMIN"))
    func `A full disk and a machine that dies are borne`() throws {
      let plan = """
        memory: 200
        disk: 256M
        faults:
          - at 300ms: disk full 700ms
          - at 1500ms: machine
          - at 2s: link closed 200ms
        expect:
          - overrun <= 0
          - exit = 0
        """
      let outcome = try rehearse(
        shape: "16,64", projections: 120, plan, ["--detector", "@50"], scan: ["source-timeout: 5"]
      ).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)\(outcome.output)")
      let report = try report(outcome)
      #expect(report.faults[0].seen.hasPrefix("room again after"), "\(report)")
      #expect(report.faults[1].seen.hasPrefix("started again after"), "\(report)")
      #expect(report.faults[2].seen.hasPrefix("up again after"), "\(report)")
      try expectNothingLeft()
    }

    @Test func `A core that is missing is found, and foretold`() throws {
      let plan = """
        cores: 1
        memory: 1000
        expect:
          - lost <= 0
          - latency-p99 <= 500ms
          - exit = 0
          - updates >= 100
        """
      // Two cores would keep up with less than half of what is measured, too: the test is to be sure of one.
      let outcome = try rehearse(shape: "64,256", projections: 120, plan, ["--detector", "@60"], window: 60).end()
      expectFailure(65, outcome, "the rehearsal failed: 1 of 4 expectations does not hold")
      let report = try report(outcome)
      #expect(report.expectations.map(\.verdict) == ["holds", "broken", "holds", "holds"], "\(report)")
      #expect(report.predictions[0].hasSuffix("no core is spare for the other stages"), "\(report.predictions)")
      #expect(report.predictions[1].contains(" of 120 are behind at the end"), "\(report.predictions)")
      try expectNothingLeft()
    }

    @Test func `A rehearsal that is ended takes everything along`() throws {
      let plan = "expect:\n  - lost <= 0"
      let command = try rehearse(shape: "16,64", projections: 1000, plan, ["--detector", "@20"])
      var run: RunStatus?
      try wait("the run") {
        let place = try folder.names().first { $0.hasPrefix("slipring-rehearsal-") } ?? ""
        let status = FileManager.default.contents(
          atPath: folder.file("\(place)/disk/rehearsal-run/status.json"))
        run = try status.map { try JSONDecoder().decode(RunStatus.self, from: $0) }
        return run.map { $0.acquired > 0 } ?? false
      }
      let (id, stages) = (try #require(run).run, try #require(run).stages)
      #expect(try !regions(of: id).isEmpty && !stages.isEmpty)
      try command.process.signal(SIGTERM)
      let outcome = try command.end(within: .seconds(30))
      #expect(outcome.status == .exited(143), "\(outcome.errors)")
      #expect(try regions(of: id).isEmpty)
      for stage in stages { #expect(kill(stage.pid, 0) != 0, "\(stage.name) lives") }
      try expectNothingLeft()
    }

    @Test func `What cannot be rehearsed is refused in one line`() throws {
      let plan = "expect:\n  - lost <= 0"
      expectFailure(64, try rehearse(shape: "16,64", projections: 10, plan).end(), "say --detector ROWS,COLUMNS@RATE")
      expectFailure(
        69, try rehearse(shape: "16,64", projections: 10, "cores: 4096\n" + plan, ["--detector", "@9"]).end(),
        "the plan's cores: 4096 are more than the")
      expectFailure(
        78, try rehearse(shape: "16,64", projections: 10, "expect:\n  - lost", ["--detector", "@9"]).end(),
        "faults.yaml:2: an expectation is one of")
      expectFailure(
        78,
        try rehearse(
          shape: "16,64", projections: 10, "faults:\n  - at 1s: kill denoise\n" + plan, ["--detector", "@9"]
        ).end(), "faults.yaml: at 1s: kill denoise: the run has no stage denoise; it has acquire")
      try Data("input: \(folder.file("scan.h5"))\noutput-folder: out\n".utf8).write(
        to: URL(filePath: folder.file("file.yaml")))
      try Data(plan.utf8).write(to: URL(filePath: folder.file("faults.yaml")))
      expectFailure(
        64,
        try Command.run(
          "rehearse", folder.file("file.yaml"), "--plan", folder.file("faults.yaml"), "--detector", "@9"),
        "is a file, which waits")
      let simulated = try Command.run("simulate", "--stream", "zmq+push://127.0.0.1:9", "--memory", "3")
      expectFailure(64, simulated, "--memory goes with --rate")
    }

    @Test func `The plan in the pages can be rehearsed`() throws {
      let page = try String(
        contentsOf: Senders.root.appending(path: "Docs.docc/Operating.md"), encoding: .utf8)
      let start = try #require(page.range(of: "```yaml\n# faults.yaml"))
      let rest = page[start.lowerBound...].dropFirst("```yaml\n".count)
      let plan = String(rest[..<(try #require(rest.range(of: "```")).lowerBound)])
      let outcome = try rehearse(shape: "16,64", projections: 200, plan).end()
      let report = try report(outcome)
      #expect(outcome.status == .exited(0), "\(outcome.errors)\(report)")
    }
  }
}
