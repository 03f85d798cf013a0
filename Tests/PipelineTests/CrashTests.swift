import Foundation
import Glibc
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// Stages that trap: each leaves a report, and its successor waits for nobody.
  @Suite struct CrashTests {
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = try folder.simulate(rows: 4, columns: 48, projections: 100)
    }

    private func start(_ name: String, faults: String?, _ options: String...) throws -> Command {
      try Command(
        [
          "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file(name), "--run-folder",
          folder.file(name + "-run"),
          "--rotation-axis", "24", "--workers", "2", "--window-length", "6", "--final-iterations", "2", "--lag-max",
          "0", "--json",
        ] + options, faults: faults)
    }

    private func reports(_ name: String) throws -> [String] {
      let log = folder.file(name + "-run/log")
      return try FileManager.default.contentsOfDirectory(atPath: log).filter { $0.hasSuffix(".crash") }.sorted()
        .map { try String(contentsOfFile: "\(log)/\($0)", encoding: .utf8) }
    }

    /// Processes that know of the run's folder.
    private func processes(of name: String) throws -> [String] {
      let run = folder.file(name + "-run")
      return try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { pid in
        guard Int32(pid) != nil, let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") else {
          return false
        }
        return String(decoding: line, as: UTF8.self).contains(run)
      }
    }

    @Test func `Ten stages that trap leave ten whole reports and no process, and the volume has the same bits`() throws
    {
      let reference = try start("reference", faults: nil).end().result()
      let faults = [
        "acquire=committed:20:trap,payload-half:10:trap,claimed:15:trap",
        "distribute=orders-half:30:trap,submit:2:trap",
        "reconstruct.0=flip-before:9:trap,flip-after:9:trap", "reconstruct.1=unreleased:40:trap,block-swept:1:trap",
        "export=export-half:2:trap",
      ].joined(separator: ";")
      let outcome = try start("out", faults: faults).end()
      let result = try outcome.result()
      #expect(result.volumeSHA256 == reference.volumeSHA256 && result.lost == 0 && result.duplicates == 0)
      #expect(result.restarts.values.reduce(0, +) == 10, "\(result.restarts)")
      let reports = try reports("out")
      #expect(reports.count == 10)
      for report in reports {
        #expect(report.hasSuffix("end of report\n") && report.contains("signal 4, "), "\(report)")
        // The function that trapped, by its name.
        #expect(report.contains("FaultPoint") && report.split(separator: "\n").count > 8, "\(report)")
      }
      #expect(reports.count { $0.contains("AcquireStage") } == 3 && reports.count { $0.contains("VolumeExport") } == 1)
      #expect(try processes(of: "out").isEmpty)
      let log = try String(contentsOfFile: folder.file("out-run/log/supervisor.jsonl"), encoding: .utf8)
      #expect(log.split(separator: "\n").count { $0.contains(#""report":"#) } == 10)
      #expect(!log.contains("which hung") && outcome.errors.contains("is started again: see "))
    }

    @Test func `A stage that somebody traps is replaced at once`() throws {
      let command = try start("out", faults: nil, "--rate", "40")
      let status = try waitForImages(20, of: folder.file("out-run"))
      let worker = try #require(status.stages.first { $0.name == "reconstruct.0" }?.pid)
      kill(worker, SIGILL)
      let start = ContinuousClock.now
      try wait("the worker has a successor", within: 5) {
        let data = try Data(contentsOf: URL(filePath: folder.file("out-run/log/supervisor.jsonl")))
        return String(decoding: data, as: UTF8.self).contains("starting reconstruct.0 again")
      }
      #expect(ContinuousClock.now - start < .seconds(1))
      let result = try command.end().result()
      #expect(result.restarts["reconstruct.0"] == 1 && result.projections == 100)
      #expect(try reports("out").count { $0.contains("sent by process") && $0.hasSuffix("end of report\n") } == 1)
    }

    @Test func `Of a stage that has crashed often enough no more is reported`() throws {
      let log = folder.file("out-run/log")
      try FileManager.default.createDirectory(atPath: log, withIntermediateDirectories: true)
      for number in 1...20 {
        #expect(FileManager.default.createFile(atPath: "\(log)/acquire.\(number).crash", contents: Data()))
      }
      let outcome = try start("out", faults: "acquire=committed:20:trap").end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try reports("out").count == 20)
    }
  }
}
