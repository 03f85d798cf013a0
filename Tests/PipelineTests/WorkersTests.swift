import Foundation
import Glibc
import Host
import Run
import TestSupport
import Testing

private let cores: [Int] = {
  do { return try Affinity.current() } catch { return [] }
}()

extension Pipeline {
  /// Workers that come and go while a scan is reconstructed, and bands that they hand to each other.
  @Suite(.enabled(if: cores.count >= 2, "workers that do not share a core need two")) struct WorkersTests {
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = try folder.simulate(rows: 8, columns: 48, projections: 120)
    }

    private var run: String { folder.file("out-run") }

    private func recon(_ name: String, faults: String? = nil, _ more: String...) throws -> Command {
      try recon(scan, name, faults: faults, ["--lag-max", "0"] + more)
    }

    private func recon(_ scan: String, _ name: String, faults: String? = nil, _ more: [String]) throws -> Command {
      try Command(
        [
          "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file(name), "--run-folder",
          folder.file(name + "-run"), "--rotation-axis", "24", "--window-length", "6", "--final-iterations", "2",
          "--json",
        ] + more, faults: faults)
    }

    private func workers(_ options: String...) throws -> Command.Outcome {
      try Command(["workers", run, "--by", "anna"] + options).end()
    }

    private func table() throws -> [WorkerStatus] {
      struct Report: Decodable { let workers: [WorkerStatus] }
      return try JSONDecoder().decode(Report.self, from: Data(workers("--json").output.utf8)).workers
    }

    private func status() throws -> RunStatus? {
      try FileManager.default.contents(atPath: run + "/status.json").map {
        try JSONDecoder().decode(RunStatus.self, from: $0)
      }
    }

    @Test func `Workers are added and drained while a scan goes on, and its volume has the same bits`() throws {
      let reference = try recon("reference", "--rate", "1000", "--workers", "1").end().result()
      let command = try recon("out", "--rate", "20", "--workers", "1", "--threads", "1", "--bands", "4")
      try wait("the run makes updates") { (try status()?.updates ?? 0) > 0 }
      #expect(try table().map(\.bands) == [[0, 1, 2, 3]])
      let added = try workers("--add", "1")
      #expect(added.status == .exited(0), "\(added.errors)")
      #expect(added.output.contains("1: rows 2 to 3"), "\(added.output)")
      let line = try Command(["status", run, "--once"]).end().output
      #expect(line.contains("; 2 bands changed hands") && line.contains("1 makes 2 bands on"), "\(line)")
      let two = try table()
      #expect(two.map(\.bands) == [[0, 1], [2, 3]] && Set(two.flatMap(\.cores)).count == 2)
      expectFailure(64, try workers("--add", "1"), "there are 0")
      expectFailure(64, try workers("--add", "9"), "the run has 4 bands")
      expectFailure(64, try workers("--add", "1", "--cores", "0-"), "is no list of cores")
      expectFailure(64, try workers("--set", "1", "--drain", "0"), "exclude each other")
      // The first one goes, and its core is free for another.
      #expect(try workers("--drain", "0").status == .exited(0))
      #expect(try table().map(\.number) == [1])
      #expect(try workers("--set", "2").status == .exited(0))
      #expect(try table().map(\.number) == [1, 2])
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.volumeSHA256 == reference.volumeSHA256 && result.updates == reference.updates)
      #expect(result.projections == 120 && result.lost == 0 && result.duplicates == 0)
      #expect(outcome.errors.contains("as anna asked"), "\(outcome.errors)")
      #expect((try status()?.bandMoves ?? 0) >= 6)
      // Nobody was started again for it: the processes took other cores.
      #expect(result.restarts.values.allSatisfy { $0 == 0 })
      let log = try String(contentsOfFile: run + "/log/reconstruct.3.jsonl", encoding: .utf8)
      #expect(log.contains("on other cores"), "\(log)")
      expectFailure(69, try workers("--set", "1"), "is not running")
    }

    @Test func `A worker comes while the run is behind, and goes when it has caught up`() throws {
      let scan = try folder.simulate(rows: 8, columns: 48, projections: 700)
      let options = ["--workers", "1", "--threads", "1", "--bands", "4", "--catch-up", "1", "--rate", "50"]
      let command = try recon(scan, "out", options + ["--lag-max", "16"])
      try wait("the run makes updates") { (try status()?.updates ?? 0) > 0 }
      let pid = try #require(try status()?.stages.first { $0.name == "reconstruct.2" }?.pid)
      kill(pid, SIGSTOP)
      try wait("a worker comes") { (try status()?.catchUp?.added ?? 0) > 0 }
      kill(pid, SIGCONT)
      #expect(try table().map(\.number).contains(1))
      let outcome = try command.end(), result = try outcome.result()
      #expect(result.projections == 700 && result.lost == 0 && result.restarts.values.allSatisfy { $0 == 0 })
      let said = outcome.errors.components(separatedBy: "helps to catch up")
      #expect(said.count == 2, "\(outcome.errors)")
      let log = try String(contentsOfFile: run + "/log/supervisor.jsonl", encoding: .utf8)
      #expect(log.contains("worker 1 is not needed any more"), "\(log)")
      let last = try #require(try status()?.catchUp)
      #expect(last.drained >= 1 && last.workers.count == last.added - last.drained && last.refusal == nil)
    }

    @Test func `A run without spare cores says so before it begins`() throws {
      let outcome = try recon(scan, "out", ["--bands", "4", "--catch-up", "1", "--rate", "400"]).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(outcome.errors.contains("--catch-up 1 adds no worker: all cores are"), "\(outcome.errors)")
    }

    @Test func `A band that dies too often where it is made is another worker's while the scan goes on`() throws {
      let reference = try recon("reference", "--rate", "1000", "--workers", "1").end().result()
      let lives = Array(repeating: "unreleased:1", count: 11).joined(separator: ",")
      let outcome = try recon(
        "out", faults: "reconstruct.1=\(lives)", "--rate", "25", "--workers", "2", "--threads", "1", "--bands", "2"
      ).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(
        outcome.errors.contains(
          "stage reconstruct.1 was killed by signal 9 for the 11th time without getting on: worker 0 makes its rows"),
        "\(outcome.errors)")
      #expect(!outcome.errors.contains("set aside"), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.volumeSHA256 == reference.volumeSHA256 && result.updates == reference.updates)
      #expect(result.projections == 120 && result.lost == 0 && result.duplicates == 0)
      #expect(result.restarts["reconstruct.1"] == 11 && result.restarts["reconstruct.0"] == 0)
      // The other band is made on the cores that it left.
      #expect(try table().map(\.bands) == [[1], [0]])
    }
  }
}
