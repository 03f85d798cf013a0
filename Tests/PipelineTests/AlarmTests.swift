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
      try Command(
        [
          "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file(name), "--run-folder",
          folder.file(name + "-run"), "--rotation-axis", "24", "--workers", "2", "--window-length", "6",
          "--final-iterations", "2", "--rate", "\(rate)", "--lag-max", "0", "--json",
        ] + options, faults: faults
      ).end()
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
      try "#!/bin/sh\ncat > \(folder.file("told"))\n".write(toFile: hook, atomically: true, encoding: .utf8)
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
      let told = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: folder.file("told"))))
      let order = try #require(told as? [String: Any])
      #expect(order["trigger"] as? String == "here" && order["state"] as? String == "begins", "\(order)")
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
