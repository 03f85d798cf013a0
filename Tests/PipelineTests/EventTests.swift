import Events
import Foundation
import Glibc
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// Runs that tell the world of themselves, to a service that takes records by HTTP, and to nobody.
  @Suite(.enabled(if: access("/usr/bin/python3", X_OK) == 0, "python3 is not installed")) struct EventTests {
    private let folder: TestFolder
    private let scan: String
    private static let projections = 100

    init() throws {
      folder = try TestFolder()
      scan = try folder.simulate(rows: 4, columns: 96, projections: Self.projections)
    }

    private func service(_ options: String...) throws -> (command: Command, port: String, log: String) {
      let log = folder.file("events.jsonl")
      let (command, port) = try Senders.start(
        "take_events.py", in: folder, [log] + options, python: "/usr/bin/python3")
      return (command, port, log)
    }

    private func end(_ service: Command) throws {
      try service.process.signal(SIGKILL)
      _ = try service.end()
    }

    /// A run of some seconds with scores.
    private func recon(
      _ name: String, _ options: [String], faults: String? = nil, rate: Int = 40,
      executable: String = Command.executable
    ) throws -> Command {
      try Command(
        [
          "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file(name), "--run-folder", run(name),
          "--rotation-axis", "48", "--format", "hdf5", "--workers", "2", "--order", "bit-reversal", "--rate", "\(rate)",
          "--lag-max", "0", "--window-length", "6", "--final-iterations", "2", "--stop-ssim", "1", "--stop-after",
          "\(Self.projections)", "--json",
        ] + options, executable: executable, faults: faults)
    }

    private func run(_ name: String) -> String { folder.file(name + "-run") }

    @Test func `A run tells its beginning, status, scores, alarms and end, once each, in the words of its schema`()
      throws
    {
      let (service, port, log) = try service()
      let outcome = try recon(
        "told", ["--events", "diaspora+http://127.0.0.1:\(port)/v3/lab"], faults: "reconstruct.1=flip-after:3"
      ).end()
      try end(service)
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result(), sent = try SentEvents(log)
      let sink = try #require(result.events?.sinks.first)
      #expect(sink.sent == sent.all.count && sink.pending == 0 && sink.refused == 0 && sink.problem == nil, "\(sink)")
      #expect(sent.isDense && sent.all.allSatisfy { $0.run == result.run && $0.path.hasPrefix("/v3/topics/") })
      let runs = sent.unique("runs")
      try #require(runs.map { $0.body["event"] as? String } == ["started", "ended"])
      #expect((runs[0].body["plan"] as? [String: Any])?["projections"] as? Int == Self.projections)
      let told = runs[1].body["result"] as? [String: Any]
      #expect(told?["volumeSHA256"] as? String == result.volumeSHA256 && runs[1].body["exitCode"] as? Int == 0)
      #expect(sent.unique("status").count >= 2 && sent.unique("status").last?.body["phase"] as? String == "finished")
      #expect(sent.unique("alarms").contains { $0.body["kind"] as? String == "restart" })
      let scores = try RunHistory(RunFolder(path: run("told"))).scores
      #expect(sent.unique("scores").count == scores.count && scores.count > 10)
      try checkSchema(sent)
    }

    /// Each record is as `slipring schema events` says.
    private func checkSchema(_ sent: SentEvents) throws {
      guard let python = Senders.schemas else { return }
      let schema = folder.file("events.schema.json")
      try Command.run("schema", "events").output.write(toFile: schema, atomically: true, encoding: .utf8)
      let lines = try sent.all.map {
        String(decoding: try JSONSerialization.data(withJSONObject: $0.value), as: UTF8.self)
      }
      let wrong = lines.map { $0.replacing("\"topic\":\"status\"", with: "\"topic\":\"scores\"") }
      for (name, text) in [("sent.jsonl", lines), ("wrong.jsonl", wrong)] {
        try text.joined(separator: "\n").write(toFile: folder.file(name), atomically: true, encoding: .utf8)
      }
      let script = Senders.root.appending(path: "Tests/Readers/check_schema.py").path
      let outcome = try Command(
        [script, schema, folder.file("sent.jsonl"), folder.file("wrong.jsonl")], executable: python
      ).end()
      let said = outcome.output.split(separator: "\n")
      #expect(said.count == 2 && said[0] == "sent.jsonl: good" && said[1] != "wrong.jsonl: good", "\(outcome.output)")
    }

    @Test func `Sinks that are down, slow or wrong change neither bits nor time nor the exit code`() throws {
      let start = ContinuousClock.now
      let plain = try recon("plain", []).end().result()
      let plainSeconds = (ContinuousClock.now - start) / .seconds(1)
      let (service, port, _) = try service("--statuses", "slow,slow,slow,slow,slow,slow")
      let again = ContinuousClock.now
      let outcome = try recon(
        "down",
        [
          "--events", "diaspora+https://127.0.0.1:\(freePort())/lab", "--events",
          "diaspora+http://127.0.0.1:\(port)/lab", "--events-patience", "1",
        ]
      ).end()
      let seconds = (ContinuousClock.now - again) / .seconds(1)
      try end(service)
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.volumeSHA256 == plain.volumeSHA256 && result.projections == plain.projections)
      #expect(abs(result.seconds - plain.seconds) < 1.5, "\(result.seconds) and \(plain.seconds) s")
      #expect(seconds - plainSeconds < 5, "\(seconds) and \(plainSeconds) s")
      let sinks = result.events?.sinks ?? []
      #expect(sinks.map(\.sent) == [0, 0] && sinks.allSatisfy { $0.pending > 3 && $0.problem != nil }, "\(sinks)")
      // Once while it runs, once at the end.
      let said = outcome.errors.split(separator: "\n").filter { $0.contains("events to diaspora+https://") }
      #expect(said.count == 2 && said.last?.contains("slipring deliver") == true, "\(outcome.errors)")
    }

    @Test func `A process that is killed again and again misses nothing, and deliver sends the rest`() throws {
      let (service, port, log) = try service()
      let lives = [3, 5, 9, 2, 20, 1].map { "unreleased:\($0)" } + ["time:500", "time:300:stop"]
      let outcome = try recon(
        "killed", ["--events", "diaspora+http://127.0.0.1:\(port)/lab"],
        faults: "events=" + lives.joined(separator: ",")
      ).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      if result.events?.sinks.first?.pending != 0 {
        #expect(try Command.run("deliver", run("killed"), "--patience", "20").status == .exited(0))
      }
      try end(service)
      let sent = try SentEvents(log)
      #expect(
        sent.isDense
          && sent.all.count > sent.all.reduce(into: Set<String>()) { $0.insert("\($1.topic).\($1.sequence)") }.count)
      #expect(sent.unique("runs").map { $0.body["event"] as? String } == ["started", "ended"])
      let scores = try RunHistory(RunFolder(path: run("killed"))).scores
      #expect(sent.unique("scores").count == scores.count)
    }

    @Test func `Hostile answers are survived, and what is refused is counted`() throws {
      let (service, port, log) = try service("--statuses", "noise,long,0,503,302,code,413,200")
      let outcome = try recon(
        "hostile", ["--events", "diaspora+http://127.0.0.1:\(port)/lab", "--events-patience", "100"], rate: 400
      ).end()
      try end(service)
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let sink = try #require(try outcome.result().events?.sinks.first), sent = try SentEvents(log)
      // A code in an answer refuses a record as a status does; what was answered otherwise came again.
      #expect(sink.refused == 2 && sink.pending == 0 && sink.sent + 7 == sent.all.count, "\(sink)")
      #expect(sent.isDense && outcome.errors.contains("refused"), "\(outcome.errors)")
    }

    @Test(.enabled(if: access("/usr/bin/openssl", X_OK) == 0, "openssl is not installed"))
    func `Certificates are verified, and tokens read from a file`() throws {
      let pem = folder.file("server.pem")
      let made = try Command(
        [
          "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", pem, "-out", folder.file("ca.pem"), "-days", "2",
          "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
        ], executable: "/usr/bin/openssl"
      ).end()
      try #require(made.status == .exited(0), "\(made.errors)")
      let authority = try String(contentsOfFile: folder.file("ca.pem"), encoding: .utf8)
      try (String(contentsOfFile: pem, encoding: .utf8) + authority).write(
        toFile: pem, atomically: true, encoding: .utf8)
      let (service, port, log) = try service("--certificate", pem, "--token", "abc.def")
      try "abc.def\n".write(toFile: folder.file("token"), atomically: true, encoding: .utf8)
      let own = "diaspora.ca.file=\(folder.file("ca.pem"))\ndiaspora.token.file=\(folder.file("token"))\n"
      try own.write(toFile: folder.file("settings"), atomically: true, encoding: .utf8)
      let options = ["--events", "diaspora+https://127.0.0.1:\(port)/lab"]
      // A token that others may read is none.
      try #require(chmod(folder.file("token"), 0o644) == 0)
      expectFailure(
        77, try recon("open", options + ["--events-config", folder.file("settings")], rate: 400).end(), "chmod 600")
      try #require(chmod(folder.file("token"), 0o600) == 0)
      let wrong = try recon("wrong", options + ["--events-patience", "1"], rate: 400).end().result().events?.sinks.first
      #expect(wrong?.sent == 0 && wrong?.problem?.contains("certificate") == true, "\(String(describing: wrong))")
      let settings = ["--events-config", folder.file("settings"), "--events-patience", "30"]
      let right = try recon("right", options + settings, rate: 400).end()
      try end(service)
      #expect(try right.result().events?.sinks.first?.pending == 0, "\(right.errors)")
      #expect(try SentEvents(log).all.allSatisfy { $0.authorization == "Bearer abc.def" })
      for file in ["plan.json", "scan.yaml", "events/outbox.jsonl", "status.json"] {
        let text = try String(contentsOfFile: run("right") + "/" + file, encoding: .utf8)
        #expect(!text.contains("abc.def"), "\(file)")
      }
    }

    @Test func `A run that fails and is resumed tells both`() throws {
      let (service, port, log) = try service()
      let events = ["--events", "diaspora+http://127.0.0.1:\(port)/lab"]
      let command = try recon("failed", events)
      try waitForImages(20, of: run("failed"))
      #expect(try Command(["abort", run("failed"), "--by", "anna"]).end().status == .exited(0))
      #expect(try command.end().status == .exited(75))
      let resumed = try Command(["resume", run("failed"), "--quiet", "--json"]).end()
      try end(service)
      #expect(resumed.status == .exited(0), "\(resumed.errors)")
      let sent = try SentEvents(log), runs = sent.unique("runs")
      try #require(
        sent.isDense && runs.map { $0.body["event"] as? String } == ["started", "ended", "started", "ended"])
      #expect((runs[1].body["failure"] as? String)?.contains("aborted by anna") == true)
      #expect(runs[1].body["exitCode"] as? Int == 75 && runs[3].body["exitCode"] as? Int == 0)
      let scores = try RunHistory(RunFolder(path: run("failed"))).scores
      #expect(sent.unique("scores").count == scores.count)
    }

    @Test func `What cannot work is refused in one line before anything runs`() throws {
      let cases: [([String], Int32, String)] = [
        (["--events", "http://host/lab"], 64, "kafka://"), (["--accept-commands", "lab.commands"], 64, "--events"),
        (["--events-patience", "9"], 64, "--events"),
        (["--events", "diaspora+https://h/lab", "--accept-commands", "lab.commands"], 64, "kafka://"),
        (["--events", "diaspora+https://h/lab", "--events-config", folder.file("missing")], 66, "missing"),
      ]
      for (options, code, word) in cases { expectFailure(code, try recon("refused", options).end(), word) }
      #expect(!FileManager.default.fileExists(atPath: folder.file("refused")))
      expectFailure(66, try Command.run("deliver", folder.file("nothing")), "not the folder of a run")
    }
  }
}
