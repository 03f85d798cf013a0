import Foundation
import Glibc
import Host
import Scan
import TestSupport
import Testing

extension Pipeline {
  /// What happens when somebody interrupts, aborts or kills.
  @Suite struct FaultTests {
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = folder.file("foam.h5")
      let outcome = try Command.run("simulate", scan, "--rows", "4", "--columns", "48", "--projections", "100", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
    }

    /// A run that acquires for many seconds, and its status as soon as it has projections.
    private func start(_ rate: String = "10") throws -> (Command, RunStatus) {
      let command = try Command([
        "recon", scan, "--output-folder", folder.file("out"), "--run-folder", folder.file("run"), "--rotation-axis", "24", "--rate", rate,
        "--workers", "2", "--window-length", "6", "--final-iterations", "2", "--quiet", "--json",
      ])
      var status: RunStatus?
      try wait("the run acquires") {
        let data = FileManager.default.contents(atPath: folder.file("run/status.json"))
        status = try data.map { try JSONDecoder().decode(RunStatus.self, from: $0) }
        return (status?.updates ?? 0) > 0
      }
      return (command, try #require(status))
    }

    private func expectNothingLeft(of status: RunStatus, at location: SourceLocation = #_sourceLocation) throws {
      #expect(try regions(of: status.run).isEmpty, sourceLocation: location)
      try wait("the stages end", at: location) { status.stages.allSatisfy { kill($0.pid, 0) != 0 } }
      let files = try FileManager.default.contentsOfDirectory(atPath: folder.file("out"))
      #expect(files == ["scan.yaml"], sourceLocation: location)
    }

    @Test func `An interrupt ends the acquisition and exports what was acquired`() throws {
      let (command, status) = try start()
      try command.process.signal(SIGINT)
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.stoppedBy == "signal" && (1..<100).contains(result.projections) && result.lost == 0)
      #expect(result.outputs.count == 5 && result.outputs.allSatisfy { FileManager.default.fileExists(atPath: $0) })
      #expect(try regions(of: status.run).isEmpty)
    }

    @Test func `A second interrupt aborts and leaves nothing behind`() throws {
      let (command, status) = try start()
      try command.process.signal(SIGTERM)
      try command.process.signal(SIGINT)
      let outcome = try command.end()
      // Signals of different numbers may arrive in either order.
      #expect(outcome.status == .exited(130) || outcome.status == .exited(143), "\(outcome.status)")
      try expectNothingLeft(of: status)
    }

    @Test(arguments: ["acquire", "distribute", "reconstruct.1", "export"])
    func `A killed stage is named and nothing half-written stays`(stage: String) throws {
      let (command, status) = try start()
      let pid = try #require(status.stages.first { $0.name == stage }?.pid)
      try #require(kill(pid, SIGKILL) == 0)
      let outcome = try command.end()
      expectFailure(70, outcome, "stage \(stage)", "killed by signal 9")
      try expectNothingLeft(of: status)
    }

    @Test func `A killed supervisor takes its stages along, and the next run removes its regions`() throws {
      let (command, status) = try start()
      try command.process.signal(SIGKILL)
      #expect(try command.end().status == .killed(signal: SIGKILL))
      try wait("the stages end") { status.stages.allSatisfy { kill($0.pid, 0) != 0 } }
      #expect(try !regions(of: status.run).isEmpty)
      let next = try Command.run(
        "recon", scan, "--output-folder", folder.file("next"), "--rotation-axis", "24", "--final-iterations", "1")
      #expect(next.status == .exited(0) && next.errors.contains("dead runs"), "\(next.errors)")
      #expect(try regions(of: status.run).isEmpty)
    }
  }
}
