import Alarms
import Foundation
import Glibc
import Host
import Journal
import Rings
import RunModel
import TestSupport
import Testing

@testable import Run

extension Pipeline {
  /// Runs that are watched.
  @Suite struct AlarmTests {
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = try folder.simulate(rows: 4, columns: 48, projections: 180)
    }

    private func recon(
      _ name: String, rate: Int = 60, faults: String? = nil, _ options: String...
    ) throws -> Command.Outcome {
      try start(name, rate: rate, faults: faults, options).end()
    }

    private func start(
      _ name: String, rate: Int, faults: String? = nil, _ options: [String]
    ) throws -> Command {
      try Command(
        [
          "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file(name), "--run-folder",
          folder.file(name + "-run"), "--rotation-axis", "24", "--workers", "2", "--window-length", "6",
          "--final-iterations", "2", "--rate", "\(rate)", "--lag-max", "0", "--json",
        ] + options, faults: faults)
    }

    private func status(_ name: String) throws -> RunStatus {
      let data = try Data(contentsOf: URL(filePath: folder.file(name + "-run/status.json")))
      return try JSONDecoder().decode(RunStatus.self, from: data)
    }

    /// What a run's watch has written.
    private func events(_ name: String) throws -> (alarms: [AlarmEvent], samples: Int) {
      let reader = try RunJournals(RunFolder(path: folder.file(name + "-run"))).reader(of: .alarms)
      let page = UnsafeMutableRawBufferPointer.allocate(byteCount: reader.stride, alignment: EventHeader.pageByteCount)
      defer { page.deallocate() }
      var found: (alarms: [AlarmEvent], samples: Int) = ([], 0)
      for sequence in try reader.sequences().joined() {
        let record = try reader.read(sequence: sequence, into: page)
        if record.header.kind == .alarm { found.alarms.append(try AlarmEvent(decoding: record.metadata)) }
        if record.header.kind == .gauges { found.samples += try GaugesEvent(decoding: record.metadata).samples.count }
      }
      return found
    }

    @Test func `An alarm reaches people, status, journal and a program, and changes no bit`() throws {
      let plain = try recon("plain", "--trigger", "none", "--quiet").result()
      #expect(plain.restarts["watch"] == nil && !access(folder.file("plain-run/journal/alarms.0")))
      let hook = folder.file("hook")
      try "#!/bin/sh\ncat >> \(folder.file("told"))\n".write(toFile: hook, atomically: true, encoding: .utf8)
      #expect(chmod(hook, 0o700) == 0)
      let outcome = try recon(
        "out", "--trigger", "here,watch=rate,model=threshold:>1,then=notify+hook:\(hook),severity=critical")
      #expect(try outcome.status == .exited(0) && outcome.result().volumeSHA256 == plain.volumeSHA256)
      #expect(outcome.errors.contains("here: rate is "), "\(outcome.errors)")
      let status = try status("out")
      #expect(status.alarms?.first?.trigger == "here" && status.alarms?.first?.count == 1, "\(status.alarms ?? [])")
      #expect((status.gauges?["intensity"] ?? 0) > 0 && status.gauges?["lag"] != nil)
      #expect((status.gauges?["workload"] ?? 0) > 0, "\(status.gauges ?? [:])")
      let (alarms, samples) = try events("out")
      #expect(alarms.first?.trigger.name == "here" && alarms.first?.isRaised == true && samples > 5)
      let table = try Command(["history", folder.file("out-run")]).end()
      let lines = table.output.split(separator: "\n")
      #expect(lines.count == samples + 1 && lines[0].hasPrefix("run,time,evidence,intensity,"), "\(table.errors)")
      #expect(Set(lines.map { $0.count { $0 == "," } }) == [26])
      let none = try Command(["history", folder.file("plain-run")]).end()
      #expect(none.status == .exited(64) && none.errors.contains("was not watched"))
      #expect(try told("told", "here") == ["begins", "ends"])
    }

    private func script(_ name: String, _ text: String) throws -> String {
      let path = folder.file(name)
      try "#!/bin/sh\n\(text)\n".write(toFile: path, atomically: true, encoding: .utf8)
      try #require(chmod(path, 0o700) == 0)
      return path
    }

    /// What a program that adds its alarms to a file was told of: states of a trigger.
    private func told(_ file: String, _ trigger: String) throws -> [String] {
      guard let text = try? String(contentsOfFile: folder.file(file), encoding: .utf8) else { return [] }
      return try text.split(separator: "\n").compactMap { line in
        let order = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        return order?["trigger"] as? String == trigger ? order?["state"] as? String : nil
      }
    }

    private func waitUntilRaised(_ trigger: String, _ name: String) throws -> RunStatus {
      var seen: RunStatus?
      try wait("the alarm \(trigger)") {
        guard access(folder.file(name + "-run/status.json")) else { return false }
        seen = try status(name)
        return seen?.alarms?.contains { $0.trigger == trigger && $0.isRaised } == true
      }
      return try #require(seen)
    }

    @Test func `An alarm that was told before watch was killed ends for its successor`() throws {
      let cause = folder.file("cause")
      try "".write(toFile: cause, atomically: true, encoding: .utf8)
      let program = try script("asked", "while read line; do [ -e \(cause) ] && echo 1 || echo 0; done")
      let command = try start("out", rate: 10, ["--trigger", "p,watch=rate,model=program:\(program)"])
      let seen = try waitUntilRaised("p", "out")
      try FileManager.default.removeItem(atPath: cause)
      #expect(kill(try #require(seen.stages.first { $0.name == "watch" }).pid, SIGKILL) == 0)
      let outcome = try command.end()
      #expect(try outcome.status == .exited(0) && outcome.result().restarts["watch"] == 1, "\(outcome.errors)")
      let alarms = try events("out").alarms
      #expect(alarms.map(\.trigger.name) == ["p", "p"] && alarms.map(\.isRaised) == [true, false], "\(alarms)")
      #expect(alarms.last?.isEndOfRun == false)
      #expect(try status("out").alarms?.map(\.isRaised) == [false])
    }

    @Test func `A hook that dies with watch is called again, and one that hangs holds no other one up`() throws {
      let (slow, fast) = (
        try script("slow", "echo x >> \(folder.file("hung")); exec sleep 60"),
        try script("fast", "cat >> \(folder.file("told"))")
      )
      let command = try start(
        "out", rate: 30,
        [
          "--trigger", "a,watch=rate,model=threshold:>1,then=hook:\(slow)", "--trigger",
          "b,watch=rate,model=threshold:>1,then=hook:\(fast)+notify",
        ])
      let seen = try waitUntilRaised("b", "out")
      func lines() throws -> Int {
        access(folder.file("hung")) ? try String(contentsOfFile: folder.file("hung"), encoding: .utf8).count / 2 : 0
      }
      try wait("both programs") { try lines() > 0 && told("told", "b") == ["begins"] }
      #expect(kill(try #require(seen.stages.first { $0.name == "watch" }).pid, SIGKILL) == 0)
      try wait("the program again") { try lines() > 1 }
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      // Told of the first alarm whose program had not ended, and of all after it.
      #expect(try told("told", "b").last == "ends" && told("told", "b").count { $0 == "ends" } == 1)
    }

    @Test func `An alarm of a run that is killed lasts in the resumed one, is told of again, and ends once`() throws {
      let fast = try script("fast", "cat >> \(folder.file("told"))")
      let command = try start(
        "out", rate: 30, ["--trigger", "here,watch=rate,model=threshold:>1,then=notify+hook:\(fast)"])
      _ = try waitUntilRaised("here", "out")
      try wait("the program") { try told("told", "here") == ["begins"] }
      try command.process.signal(SIGKILL)
      #expect(try command.end().status == .killed(signal: SIGKILL))
      let resumed = try Command(["resume", folder.file("out-run"), "--json"]).end()
      #expect(resumed.status == .exited(0), "\(resumed.errors)")
      #expect(resumed.errors.contains("here: rate is "), "\(resumed.errors)")
      #expect(resumed.errors.contains("here lasted to the end of the run: rate is "), "\(resumed.errors)")
      let alarms = try events("out").alarms
      #expect(alarms.map(\.isRaised) == [true, true, false] && alarms.last?.isEndOfRun == true, "\(alarms)")
      #expect(alarms[0].at == alarms[1].at)
      #expect(try told("told", "here") == ["begins", "ends"])
      let status = try status("out")
      #expect(status.alarms?.map(\.isRaised) == [false] && status.alarms?.map(\.count) == [1])
    }

    @Test func `What is not watched, and what watched nothing, is told by check, by the run and by its status`() throws
    {
      try """
      input: \(scan)
      output-folder: \(folder.file("checked"))
      rotation-axis: 24
      trigger: ["a,watch=buffered,model=threshold:>disk-buffer", "b,watch=similarity,model=threshold:<0.5"]

      """.write(toFile: folder.file("scan.yaml"), atomically: true, encoding: .utf8)
      let limit = "the trigger a,watch=buffered,model=threshold:>disk-buffer is not watched: this run has no such limit"
      let never =
        "the trigger b,watch=similarity,model=threshold:<0.5 watches nothing: this run has no similarity, which"
      let (text, json) = (
        try Command.run("check", folder.file("scan.yaml")), try Command.run("check", folder.file("scan.yaml"), "--json")
      )
      let report = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
      let notices = (report?["estimate"] as? [String: Any])?["notices"] as? [String] ?? []
      for words in [limit, never] {
        #expect(text.output.split(separator: "\n").contains { $0.hasPrefix(words) }, "\(text.output)\(text.errors)")
        #expect(notices.contains { $0.hasPrefix(words) }, "\(json.output)")
      }
      let outcome = try recon(
        "out", "--trigger", "b,watch=similarity,model=threshold:<0.5", "--trigger",
        "c,watch=similarity,model=threshold:<0.5", "--trigger", "d,watch=lag,model=threshold:>1000000", "--stop-ssim",
        "0.999", "--stop-distance", "500")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let late =
        "c,watch=similarity,model=threshold:<0.5 watched nothing: similarity never had a value, which --stop-ssim"
      #expect(outcome.errors.split(separator: "\n").count { $0.contains(late) } == 1, "\(outcome.errors)")
      #expect(!outcome.errors.contains("trigger d"))
      #expect(try status("out").unseenTriggers?.count == 2)
      let printed = try Command.run("status", folder.file("out-run"))
      #expect(printed.output.contains(late), "\(printed.output)")
    }

    @Test func `A name with a line end is refused in one line`() throws {
      for option in ["--trigger", "--view", "--stage", "--sample"] {
        let outcome = try recon("refused", option, "a\nb\u{1b}[31m,watch=rate,model=ewma:6")
        expectFailure(64, outcome, "\(option) a\\nb\\u{1b}[31m")
        #expect(outcome.errors.count { $0 == "\n" } == 1, "\(outcome.errors)")
      }
      let other = try recon("refused", "--bits", "a\nb")
      #expect(other.status == .exited(64) && other.errors.contains("a\\nb"), "\(other.errors)")
      #expect(!access(folder.file("refused")))
    }

    @Test func `A watch that is killed goes on, and one that cannot live is done without`() throws {
      let plain = try recon("plain", "--trigger", "none", "--quiet").result()
      let killed = try recon("killed", faults: "watch=time:300,time:300,time:300")
      #expect(killed.status == .exited(0), "\(killed.errors)")
      #expect(try killed.result().volumeSHA256 == plain.volumeSHA256 && killed.result().restarts["watch"] == 3)
      let lives = Array(repeating: "time:1", count: 20).joined(separator: ",")
      // Each of its lives waits longer than the one before.
      let dead = try recon("dead", rate: 15, faults: "watch=\(lives)")
      #expect(try dead.status == .exited(0) && dead.result().volumeSHA256 == plain.volumeSHA256, "\(dead.errors)")
      #expect(dead.errors.contains("stage watch was killed by signal 9 for the 11th time in a minute: the run goes on"))
    }

    @Test(arguments: ["pause-windows", "widen"])
    func `Fewer updates, as long as an alarm lasts, are recorded: workers and successors make the same ones`(
      action: String
    ) throws {
      let all = try recon("all", "--trigger", "none", "--quiet").result()
      let outcome = try recon(
        "out", faults: "distribute=orders-half:200,unreleased:60;reconstruct.0=unreleased:120", "--trigger",
        "always,watch=rate,model=threshold:>1,then=\(action)", "--lag-max", "48")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.projections == 180 && result.lost == 0 && result.updates < all.updates - 20, "\(result.updates)")
      #expect(result.restarts["distribute"] == 2 && result.restarts["reconstruct.0"] == 1)
      let journals = try RunJournals(RunFolder(path: folder.file("out-run"))).examine(depth: .everything)
      let ends = Dictionary(uniqueKeysWithValues: journals.map { ($0.topic, $0.report.nextSequence) })
      #expect(ends["orders.0"] == ends["orders.1"] && ends["updates.0"] == ends["updates.1"], "\(ends)")
    }

    @Test func `A trigger may end the scan, and the result says so`() throws {
      let outcome = try recon("out", "--trigger", "enough,watch=rate,model=threshold:>1,for=500ms,then=finalize")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.stoppedBy == "finalized by the trigger enough" && result.projections < 180, "\(result.stoppedBy)")
    }

    @Test func `A program that is not there is told before anything is made`() throws {
      for record in ["then=hook:/none/there", "then=hook:/tmp"] {
        expectFailure(
          66, try recon("refused", "--trigger", "a,watch=rate,model=threshold:>1,\(record)"), "--trigger a: /")
      }
      expectFailure(66, try recon("refused", "--trigger", "a,watch=rate,model=program:/none"), "/none")
      expectFailure(64, try recon("refused", "--trigger", "none,watch=rate,model=ewma:6"), "or it is none")
      #expect(!access(folder.file("refused")))
    }

    private func access(_ path: String) -> Bool { Glibc.access(path, F_OK) == 0 }
  }
}
