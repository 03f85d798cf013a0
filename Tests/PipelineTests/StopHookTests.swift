import Foundation
import Glibc
import Host
import Run
import ScanPlan
import Simulation
import Stages
import TestSupport
import Testing

extension Pipeline {
  /// Detectors that are told when their scan was ended early.
  @Suite struct StopHookTests {
    private let folder: TestFolder
    private let address: String
    private let stop: String
    private let detector: Command
    private static let projections = 2000

    /// Starts a virtual detector that would send for 100 s and more.
    init() throws {
      folder = try TestFolder()
      let scan = folder.file("foam.h5")
      let outcome = try Command.run(
        "simulate", scan, "--rows", "4", "--columns", "48", "--projections", "\(Self.projections)", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      let (port, stopPort) = try (freePort(), freePort())
      (address, stop) = ("127.0.0.1:\(port)", "127.0.0.1:\(stopPort)")
      detector = try Command([
        "simulate", "--stream", "zmq+push://\(address)", "--scan", scan, "--rate", "20", "--stop-at",
        "zmq+rep://\(stop)", "--json",
      ])
    }

    private var run: String { folder.file("run") }

    /// Takes the stream until there are images, then ends it; gives the outcome.
    private func recon(_ hook: String, faults: String? = nil, end: (Command) throws -> Void) throws -> Command.Outcome {
      let command = try Command(
        [
          "recon", "zmq+pull://\(address)", "--algorithm", "sirt", "--output-folder", folder.file("out"),
          "--run-folder", run,
          "--rotation-axis", "24", "--shape",
          "4,48", "--projections", "\(Self.projections)", "--flats", "10", "--darks", "10", "--window-length", "6",
          "--final-iterations",
          "2",
          "--workers", "1", "--json", "--stop-hook", hook,
        ], faults: faults)
      try waitForImages(4, of: run)
      try end(command)
      return try command.end()
    }

    private func finalize(_ command: Command) throws {
      let outcome = try Command(["finalize", run, "--by", "anna"]).end()
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
    }

    private func log(_ message: String) throws -> [[String: String]] {
      try String(contentsOfFile: run + "/log/acquire.jsonl", encoding: .utf8).split(separator: "\n")
        .map { try JSONDecoder().decode([String: String].self, from: Data($0.utf8)) }.filter {
          $0["message"] == message
        }
    }

    private func told() throws -> [[String: String]] { try log("told the detector to stop") }
    private func refusals() throws -> [[String: String]] { try log("the detector was not told to stop") }

    private func plan() throws -> RunPlan {
      try JSONDecoder().decode(RunPlan.self, from: Data(contentsOf: URL(filePath: run + "/plan.json")))
    }

    /// What the virtual detector says of its end, after it was told or has to be.
    private func report() throws -> ScanSender.SendReport {
      let outcome = try detector.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      return try JSONDecoder().decode(ScanSender.SendReport.self, from: Data(outcome.output.utf8))
    }

    private func killDetector() throws {
      try detector.process.signal(SIGKILL)
      _ = try detector.end()
    }

    @Test(arguments: [nil, "acquire=stop-told:1"])
    func `A detector whose scan is finalized is told, once or again, and stops sending`(faults: String?) throws {
      let outcome = try recon("zmq+req://\(stop)", faults: faults, end: finalize)
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let (result, report) = (try outcome.result(), try report())
      #expect(result.stoppedBy == "finalized by anna" && result.lost == 0 && result.projections >= 3)
      let order = #"{"command":"stop","reason":"finalized by anna","run":"\#(try plan().runID)"}"#
      #expect(report.stoppedBy == order && report.sent < Self.projections && report.sent >= result.projections + 20)
      // The virtual detector is gone when a successor tells it again, and that changes nothing.
      #expect(try told().count == 1 && told()[0]["answer"] == #"answered: {"stopped":true}"#)
      #expect(try (refusals().isEmpty) == (faults == nil))
      #expect(
        result.stop?.wasTold == (faults == nil) && report.seconds > 0 && report.dropped.isEmpty
          && report.duplicates == 0)
      #expect(
        outcome.errors.contains(
          faults == nil ? "told the detector to stop: answered" : "the detector was not told to stop, see to it"))
    }

    @Test func `A signal that ends the acquisition is told as well`() throws {
      let outcome = try recon("zmq+req://\(stop)") { try $0.process.signal(SIGINT) }
      #expect(try outcome.result().stoppedBy == "signal" && report().stoppedBy?.contains(#""reason":"signal""#) == true)
    }

    @Test(
      .enabled(if: access("/usr/bin/python3", X_OK) == 0, "python3 is not installed"), arguments: ["http", "http+put"])
    func `A control system is asked by HTTP, and again where it cannot at first`(scheme: String) throws {
      let (control, port) = try Senders.start(
        "take_order.py", in: folder, [folder.file("orders"), "http", "503", "0", "204"], python: "/usr/bin/python3")
      let outcome = try recon("\(scheme)://127.0.0.1:\(port)/detector/api/1.8.0/command/disarm?all=1", end: finalize)
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try control.end().status == .exited(0))
      let orders = try String(contentsOfFile: folder.file("orders"), encoding: .utf8).split(separator: "\n")
        .map { try JSONDecoder().decode([String: String?].self, from: Data($0.utf8)) }
      let isPut = scheme == "http+put"
      let body = #"{"command":"stop","reason":"finalized by anna","run":"\#(try plan().runID)"}"#
      #expect(orders.count == 3)
      for order in orders {
        #expect(
          order["method"] == (isPut ? "PUT" : "POST") && order["path"] == "/detector/api/1.8.0/command/disarm?all=1")
        #expect(order["body"] == (isPut ? "" : body) && order["type"] == (isPut ? .some(nil) : "application/json"))
      }
      let reasons = try refusals().map { $0["reason"] ?? "" }
      #expect(
        reasons.count == 2 && reasons[0].contains("HTTP status 503") && reasons[1].contains("Empty reply"), "\(reasons)"
      )
      #expect(try told().map { $0["answer"] } == ["HTTP status 204"])
      try killDetector()
    }

    @Test(.enabled(if: Senders.python != nil, "Python with pyzmq and lz4 cannot be installed"))
    func `A control system that pulls gets one message`() throws {
      let (control, port) = try Senders.start("take_order.py", in: folder, [folder.file("orders"), "pull"])
      let outcome = try recon("zmq+push://127.0.0.1:\(port)", end: finalize)
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try control.end().status == .exited(0))
      #expect(try String(contentsOfFile: folder.file("orders"), encoding: .utf8).contains("finalized by anna"))
      #expect(try told().map { $0["answer"] } == ["sent"])
      try killDetector()
    }

    @Test(arguments: ["http", "zmq+push"]) func `A detector that cannot be told keeps no volume from being finished`(
      scheme: String
    ) throws {
      let outcome = try recon("\(scheme)://127.0.0.1:\(freePort())", end: finalize)
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(
        try result.stoppedBy == "finalized by anna" && result.stop?.wasTold == false && refusals().count == 3
          && told().isEmpty)
      // People hear of it before the scan, when it is ended, and at the end.
      #expect(outcome.errors.contains("the detector could not be told to stop now: --stop-hook"), "\(outcome.errors)")
      #expect(
        outcome.errors.components(separatedBy: "the detector was not told to stop, see to it").count >= 2,
        "\(outcome.errors)")
      try killDetector()
    }

    @Test func `A hook that is none is refused in one line`() throws {
      defer { try? killDetector() }
      let reasons = [
        "ftp://detector/stop": "begins with", "http://": "no address", "http://a:b@detector/": "everybody could read",
        "zmq+pull://127.0.0.1:9": "zmq+req", "zmq+req://127.0.0.1": "port", "stop": "begins with",
      ]
      for (hook, reason) in reasons {
        let outcome = try Command.run(
          "recon", "zmq+pull://\(address)", "--algorithm", "sirt", "--output-folder", folder.file("out"), "--shape",
          "4,48", "--projections",
          "9",
          "--rotation-axis", "24", "--stop-hook",
          hook)
        expectFailure(64, outcome, "--stop-hook \(hook)", reason)
      }
      let ofFile = try Command.run(
        "recon", folder.file("foam.h5"), "--algorithm", "sirt", "--output-folder", folder.file("out"), "--stop-hook",
        "http://127.0.0.1/stop")
      expectFailure(64, ofFile, "--stop-hook")
      expectFailure(
        64, try Command.run("simulate", "a.h5", "--stop-at", "zmq+rep://127.0.0.1:9"), "--stop-at goes with --stream")
      #expect(!FileManager.default.fileExists(atPath: folder.file("out")))
    }
  }
}
