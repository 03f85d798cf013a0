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
  /// Where a worker's threads may run; `Tools/numa-machine` looks at nodes and pages too.
  @Suite(.enabled(if: coreCount >= 2, "workers that do not share a core need two")) struct WorkerPlacementTests {
    private let folder: TestFolder

    init() throws { folder = try TestFolder() }

    /// The cores that the kernel lets each thread of a process use, in its notation. Those that the kernel itself
    /// starts for io_uring are left out: it keeps them on the node.
    private func allowedCores(ofThreadsOf pid: Int32) throws -> [String] {
      let tasks = "/proc/\(pid)/task"
      return try FileManager.default.contentsOfDirectory(atPath: tasks).compactMap { thread in
        let status = try String(contentsOfFile: "\(tasks)/\(thread)/status", encoding: .utf8).split(separator: "\n")
        guard !status[0].contains("iou-") else { return nil }
        return status.first { $0.hasPrefix("Cpus_allowed_list:") }?.split(separator: "\t").last.map(String.init)
      }
    }

    @Test func `Every thread of a worker may run on the worker's cores only`() throws {
      let scan = folder.file("foam.h5")
      let outcome = try Command.run(
        "simulate", scan, "--rows", "4", "--columns", "48", "--projections", "100", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      let command = try Command([
        "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file("out"), "--run-folder", folder.file("run"),
        "--rotation-axis",
        "24", "--workers", "2", "--rate", "50", "--window-length", "6", "--final-iterations", "2", "--json",
      ])
      var worker: RunStatus.Stage?
      try wait("the worker works") {
        guard let data = FileManager.default.contents(atPath: folder.file("run/status.json")) else { return false }
        worker = try JSONDecoder().decode(RunStatus.self, from: data).stages.first { $0.name == "reconstruct.1" }
        return (worker?.cursor ?? 0) > 10
      }
      let plan = try JSONDecoder().decode(
        RunPlan.self, from: Data(contentsOf: URL(filePath: folder.file("run/plan.json"))))
      let cores = plan.placement.workers[1].cores
      try #require(cores.count == 1, "\(cores)")
      let allowed = try allowedCores(ofThreadsOf: try #require(worker).pid)
      #expect(allowed.count >= 3 && allowed.allSatisfy { $0 == "\(cores[0])" }, "\(allowed) of \(cores)")
      #expect(try command.end().status == .exited(0))
    }
  }
}
