import Foundation
import Host
import Run
import ScanPlan
import TestSupport
import Testing

private let coreCount: Int = {
  do { return try Affinity.current().count } catch { return 1 }
}()

extension Pipeline {
  /// Workers that die too often where they are.
  @Suite(.enabled(if: coreCount >= 2, "workers that do not share a core need two")) struct MovedWorkerTests {
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = try folder.simulate(rows: 4, columns: 48, projections: 100)
    }

    private func recon(_ name: String, rate: String, faults: String? = nil) throws -> Command {
      try Command(
        [
          "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file(name), "--run-folder",
          folder.file(name + "-run"),
          "--rotation-axis", "24",
          "--workers", "2", "--window-length", "6", "--final-iterations", "2", "--rate", rate, "--lag-max", "0",
          "--json",
        ], faults: faults)
    }

    private func lives(_ order: String, _ count: Int) -> String {
      "reconstruct.1=" + Array(repeating: order, count: count).joined(separator: ",")
    }

    private func stages(_ name: String) throws -> [String: RunStatus.Stage] {
      guard let data = FileManager.default.contents(atPath: folder.file(name + "-run/status.json")) else { return [:] }
      return Dictionary(
        uniqueKeysWithValues: try JSONDecoder().decode(RunStatus.self, from: data).stages.map { ($0.name, $0) })
    }

    @Test func `A worker that gets on between its deaths stays where it is, however often it dies`() throws {
      let reference = try recon("reference", rate: "1000").end().result()
      let outcome = try recon("out", rate: "25", faults: lives("flip-after:1", 15)).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.volumeSHA256 == reference.volumeSHA256 && result.updates == reference.updates)
      #expect(result.restarts["reconstruct.1"] == 15 && result.restarts["reconstruct.0"] == 0)
      #expect(!outcome.errors.contains("set aside"), "\(outcome.errors)")
    }

    @Test func `A worker that cannot live on its cores is tried on those of others after the scan`() throws {
      let reference = try recon("reference", rate: "1000").end().result()
      // It dies at the first event that it handles, before it gets anywhere: during the scan, after it, and elsewhere.
      let outcome = try recon("out", rate: "100", faults: lives("unreleased:1", 24)).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(
        outcome.errors.contains("stage reconstruct.1 was killed by signal 9 for the 11th time without getting on"),
        "\(outcome.errors)")
      #expect(outcome.errors.contains("its rows are tried on core"), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.volumeSHA256 == reference.volumeSHA256 && result.updates == reference.updates)
      #expect(result.projections == 100 && result.lost == 0 && result.duplicates == 0)
      #expect(result.restarts["reconstruct.1"] == 24 && result.restarts["reconstruct.0"] == 0)
      let plan = try JSONDecoder().decode(
        RunPlan.self, from: Data(contentsOf: URL(filePath: folder.file("out-run/plan.json"))))
      #expect(try stages("out")["reconstruct.1"]?.movedTo == plan.placement.workers[0].cores)
    }
  }
}
