import Foundation
import Glibc
import Host
import Run
import ScanPlan
import TestSupport
import Testing

private let coreCount: Int = {
  do { return try Affinity.current().count } catch { return 1 }
}()

extension Pipeline {
  /// Workers that cannot live where they are.
  @Suite(.enabled(if: coreCount >= 2, "workers that do not share a core need two")) struct MovedWorkerTests {
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = folder.file("foam.h5")
      let outcome = try Command.run(
        "simulate", scan, "--rows", "4", "--columns", "48", "--projections", "100", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
    }

    private func recon(_ name: String, rate: String, deaths: Int) throws -> Command {
      // It dies at the first event that it handles, before it gets anywhere.
      let lives = Array(repeating: "unreleased:1", count: deaths).joined(separator: ",")
      return try Command(
        [
          "recon", scan, "--output-folder", folder.file(name), "--run-folder", folder.file(name + "-run"),
          "--rotation-axis", "24",
          "--workers", "2", "--window-length", "6", "--final-iterations", "2", "--rate", rate, "--lag-max", "0",
          "--json",
        ], faults: deaths > 0 ? "reconstruct.1=\(lives)" : nil)
    }

    /// The 19th word of a process's line in /proc.
    private func niceness(of pid: Int32) throws -> Substring? {
      let words = String(decoding: FileManager.default.contents(atPath: "/proc/\(pid)/stat") ?? Data(), as: UTF8.self)
        .split(separator: " ")
      return words.count > 18 ? words[18] : nil
    }

    private func stages(_ name: String) throws -> [String: RunStatus.Stage] {
      guard let data = FileManager.default.contents(atPath: folder.file(name + "-run/status.json")) else { return [:] }
      return Dictionary(
        uniqueKeysWithValues: try JSONDecoder().decode(RunStatus.self, from: data).stages.map { ($0.name, $0) })
    }

    @Test
    func
      `A worker that cannot live on its cores goes on on the others', which never wait, and the bits are the same`()
      throws
    {
      let reference = try recon("reference", rate: "1000", deaths: 0).end().result()
      let command = try recon("out", rate: "25", deaths: 11)
      var moved: RunStatus.Stage?
      try wait("the worker is moved") {
        moved = try stages("out")["reconstruct.1"]
        return moved?.movedTo != nil
      }
      // While the one died over and over, the other has kept up with the acquisition.
      let other = try #require(try stages("out")["reconstruct.0"])
      #expect(other.restarts == 0 && other.movedTo == nil && other.cursor > 50, "\(other)")
      let pid = try #require(moved?.pid)
      let plan = try JSONDecoder().decode(
        RunPlan.self, from: Data(contentsOf: URL(filePath: folder.file("out-run/plan.json"))))
      #expect(moved?.movedTo == plan.placement.workers[0].cores && moved?.movedTo != plan.placement.workers[1].cores)
      try wait("it lets others go first") { try kill(pid, 0) != 0 || niceness(of: pid) == "5" }
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(
        outcome.errors.contains("stage reconstruct.1 was killed by signal 9 for the 11th time"), "\(outcome.errors)")
      #expect(outcome.errors.contains("its rows go on in the background on core"), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.volumeSHA256 == reference.volumeSHA256)
      #expect(
        result.projections == 100 && result.lost == 0 && result.duplicates == 0 && result.updates == reference.updates)
      #expect(result.restarts["reconstruct.1"] == 11 && result.restarts["reconstruct.0"] == 0)
    }

    @Test func `A worker that cannot live elsewhere either fails the run, and a resume begins where it was planned`()
      throws
    {
      let reference = try recon("reference", rate: "1000", deaths: 0).end().result()
      let outcome = try recon("out", rate: "1000", deaths: 22).end()
      expectFailure(70, outcome, "stage reconstruct.1 was killed by signal 9", "now on core", "slipring resume")
      let resumed = try Command(["resume", folder.file("out-run"), "--json"]).end()
      #expect(resumed.status == .exited(0), "\(resumed.errors)")
      #expect(try resumed.result().volumeSHA256 == reference.volumeSHA256)
      #expect(try stages("out")["reconstruct.1"]?.movedTo == nil)
    }
  }
}
