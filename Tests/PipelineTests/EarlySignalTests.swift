import Foundation
import Glibc
import Host
import Run
import ScanPlan
import TestSupport
import Testing

extension Pipeline {
  /// Signals that come before the stages run, and while files are written: the program ends at once.
  @Suite struct EarlySignalTests {
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = try folder.simulate(rows: 4, columns: 32, projections: 60)
    }

    private func recon(_ options: [String] = [], faults: String? = nil, at point: String? = nil) throws -> Command {
      try Command(
        [
          "recon", scan, "--output-folder", folder.file("out"), "--run-folder", folder.file("run"), "--workers", "2",
          "--window-length", "6", "--final-iterations", "2",
        ] + options, faults: faults, variables: point.map { ["SLIPRING_FAULT": "\($0):1:pause"] } ?? [:])
    }

    /// Sends a signal, and expects that the command ends within half a second, and how.
    private func expectEnd(
      of command: Command, by signal: Int32, _ status: ProcessEnd, at location: SourceLocation = #_sourceLocation
    ) throws {
      let start = ContinuousClock.now
      try command.process.signal(signal)
      let outcome = try command.end(within: .seconds(10))
      let taken = ContinuousClock.now - start
      #expect(taken < .milliseconds(500), "\(taken)", sourceLocation: location)
      #expect(outcome.status == status, "\(outcome.errors)", sourceLocation: location)
    }

    private func waitUntilPaused(_ command: Command, at point: String) throws {
      try wait("paused at \(point)") { try command.errorsSoFar().contains("paused at \(point)") }
    }

    @Test(
      arguments: zip(
        ["source-opening", "planning", "axis-search", "disk-probe"], [SIGTERM, SIGINT, SIGINT, SIGTERM]))
    func `While a run is planned a signal ends the program, and nothing is made`(point: String, signal: Int32) throws {
      let command = try recon(["--rate", "100"], at: point)
      try waitUntilPaused(command, at: point)
      try expectEnd(of: command, by: signal, .exited(128 + signal))
      #expect(try folder.names() == ["foam.h5"])
    }

    @Test func `While a run's memory is made a signal ends the program, and leaves none of it`() throws {
      let command = try recon(["--rotation-axis", "16"], at: "regions-half")
      try waitUntilPaused(command, at: "regions-half")
      let plan = try JSONDecoder().decode(
        RunPlan.self, from: Data(contentsOf: URL(filePath: folder.file("run/plan.json"))))
      #expect(try !regions(of: "\(plan.runID)").isEmpty)
      try expectEnd(of: command, by: SIGINT, .exited(128 + SIGINT))
      #expect(try regions(of: "\(plan.runID)").isEmpty)
      #expect(try folder.names(in: "out") == ["outputs.json", "scan.yaml"])
      // The folders are in nobody's way, and what was begun can go on.
      let resumed = try Command.run("resume", folder.file("run"), "--quiet")
      #expect(resumed.status == .exited(0), "\(resumed.errors)")
    }

    @Test func `While a run is being resumed a signal ends the program, and it can be resumed again`() throws {
      let command = try recon(["--rotation-axis", "16", "--rate", "30", "--lag-max", "0"])
      try waitForImages(10, of: folder.file("run"))
      try command.process.signal(SIGKILL)
      _ = try command.end()
      let resume = ["resume", folder.file("run"), "--quiet", "--json"]
      let interrupted = try Command(resume, variables: ["SLIPRING_FAULT": "regions-half:1:pause"])
      try waitUntilPaused(interrupted, at: "regions-half")
      try expectEnd(of: interrupted, by: SIGTERM, .exited(128 + SIGTERM))
      let resumed = try Command(resume).end()
      #expect(try resumed.result().projections == 60, "\(resumed.errors)")
    }

    @Test(arguments: ["watch:", "zmq+sub://127.0.0.1:"])
    func `While a detector is waited for a signal ends the run`(source: String) throws {
      let input = source + (source.hasPrefix("watch") ? folder.path : "\(try freePort())")
      let command = try Command([
        "recon", input, "--output-folder", folder.file("out"), "--run-folder", folder.file("run"), "--shape", "4,32",
        "--projections", "9", "--rotation-axis", "16", "--minus-log", "no", "--workers", "1",
      ])
      try wait("acquire listens") {
        FileManager.default.contents(atPath: folder.file("run/log/acquire.jsonl")).map {
          String(decoding: $0, as: UTF8.self).contains("started")
        } ?? false
      }
      // Nothing is reconstructed.
      try expectEnd(of: command, by: SIGTERM, .exited(75))
    }

    /// A port of this machine that nobody has at the moment.
    private func freePort() throws -> UInt16 {
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      defer { close(descriptor) }
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let isBound = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
        }
      }
      try #require(isBound)
      return UInt16(bigEndian: address.sin_port)
    }

    @Test func `A signal ends the command that exports, and nothing half-written stays`() throws {
      #expect(try recon(["--rotation-axis", "16", "--quiet"]).end().status == .exited(0))
      let command = try Command(
        ["export", folder.file("run"), "--format", "both", "--output-folder", folder.file("again")],
        variables: ["SLIPRING_FAULT": "export-half:2:pause"])
      try waitUntilPaused(command, at: "export-half")
      #expect(try folder.names(in: "again").count { $0.hasSuffix(".tmp") } == 3)
      try expectEnd(of: command, by: SIGINT, .exited(128 + SIGINT))
      #expect(try folder.names(in: "again") == ["outputs.json"])
    }

    @Test func `While a run exports a first signal lets it finish, and a second one ends it at once`() throws {
      let command = try recon(["--rotation-axis", "16"], faults: "export=export-half:2:pause")
      try waitUntilPaused(command, at: "export-half")
      try command.process.signal(SIGTERM)
      try wait("it says that it finishes") { try command.errorsSoFar().contains("interrupt again to abort") }
      try expectEnd(of: command, by: SIGTERM, .exited(128 + SIGTERM))
      #expect(try folder.names(in: "out") == ["outputs.json", "scan.yaml"])
      let resumed = try Command.run("resume", folder.file("run"), "--quiet")
      #expect(resumed.status == .exited(0), "\(resumed.errors)")
      #expect(try folder.names(in: "out").count == 7)
    }
  }
}
