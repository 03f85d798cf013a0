import Foundation
import Glibc
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// What happens when somebody interrupts, aborts or kills.
  @Suite struct FaultTests {
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = try folder.simulate(rows: 4, columns: 48, projections: 100)
    }

    /// A run that acquires for many seconds, and its status as soon as it has projections.
    private func start(_ rate: String = "10") throws -> (Command, RunStatus) {
      let command = try Command([
        "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file("out"), "--run-folder", folder.file("run"),
        "--rotation-axis",
        "24", "--rate", rate,
        "--lag-max", "0",
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
      #expect(files.sorted() == ["outputs.json", "scan.yaml"], sourceLocation: location)
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

    @Test func `An interrupt that comes before a stage is ready is not lost on it`() throws {
      let command = try Command([
        "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file("out"), "--run-folder", folder.file("run"),
        "--rotation-axis",
        "24", "--rate", "10",
        "--lag-max", "0",
        "--final-iterations", "2", "--quiet",
      ])
      let log = folder.file("run/log/supervisor.jsonl")
      try wait("acquire is started") {
        FileManager.default.contents(atPath: log).map { String(decoding: $0, as: UTF8.self).contains("acquire") }
          ?? false
      }
      try command.process.signal(SIGINT)
      let outcome = try command.end()
      // Before the first projection there is nothing to make a volume of.
      #expect(outcome.status == .exited(0) || outcome.status == .exited(75), "\(outcome.errors)")
    }

    private func reconstruct(_ name: String, faults: String?) throws -> Command.Outcome {
      try Command(
        [
          "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file(name), "--rotation-axis", "24",
          "--workers", "2",
          "--window-length", "6",
          "--final-iterations", "2", "--checkpoint-every", "5", "--quiet", "--json",
        ], faults: faults
      ).end()
    }

    @Test(arguments: ["acquire", "distribute", "reconstruct.1", "control", "export"])
    func `A stage that somebody kills is started again, and the volume has the same bits`(stage: String) throws {
      let reference = try reconstruct("reference", faults: nil).result()
      let (command, status) = try start("50")
      let pid = try #require(status.stages.first { $0.name == stage }?.pid)
      try #require(kill(pid, SIGKILL) == 0)
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.restarts[stage] == 1 && result.restarts.values.reduce(0, +) == 1)
      #expect(result.volumeSHA256 == reference.volumeSHA256)
      #expect(
        result.projections == 100 && result.lost == 0 && result.duplicates == 0 && result.updates == reference.updates)
    }

    @Test func `At every named point a stage can die, repeatedly, and the volume has the same bits`() throws {
      let reference = try reconstruct("reference", faults: nil).result()
      #expect(reference.restarts.values.allSatisfy { $0 == 0 })
      let orders = [
        "acquire=claimed:1,claimed:30", "acquire=payload-half:40,payload-half:1", "acquire=payload-written:50",
        "acquire=committed:100,committed:1", "distribute=orders-half:1,orders-half:101",
        "distribute=unreleased:17,unreleased:60",
        // After the last projection: what is left to decide needs no input.
        "distribute=orders-half:445",
        "reconstruct.0=flip-before:1,flip-before:30", "reconstruct.1=flip-after:50,flip-after:2",
        "reconstruct.0=unreleased:90",
        "reconstruct.1=block-swept:1", "reconstruct.0=rename-before:1;reconstruct.1=rename-after:1",
        "export=export-before:1", "export=export-half:2,export-half:4", "export=export-after:1",
        "export=rename-before:1,rename-after:3,rename-before:6,rename-after:6",
        // How many hand-overs to the journal follow the first is not fixed.
        "acquire=submit:1;distribute=completion:1;reconstruct.0=submit:1;reconstruct.1=completion:1",
        "acquire=completion:1;distribute=submit:1",
        "acquire=committed:9;distribute=unreleased:9;reconstruct.0=flip-after:3;reconstruct.1=flip-before:3;export=export-half:1",
      ]
      for (number, order) in orders.enumerated() {
        let outcome = try reconstruct("run\(number)", faults: order)
        #expect(outcome.status == .exited(0), "\(order): \(outcome.errors)")
        let result = try outcome.result()
        #expect(result.volumeSHA256 == reference.volumeSHA256, "\(order)")
        #expect(
          result.projections == 100 && result.lost == 0 && result.duplicates == 0
            && result.updates == reference.updates, "\(order)")
        let kills = order.split(separator: ";").map { $0.split(separator: ",").count }.reduce(0, +)
        #expect(result.restarts.values.reduce(0, +) == kills, "\(order): \(result.restarts)")
      }
    }

    @Test func `A stage that dies too often fails the run and is named`() throws {
      let lives = Array(repeating: "claimed:1", count: 11).joined(separator: ",")
      let outcome = try reconstruct("out", faults: "acquire=\(lives)")
      expectFailure(70, outcome, "stage acquire", "killed by signal 9")
      let files = try FileManager.default.contentsOfDirectory(atPath: folder.file("out")).filter {
        !$0.hasPrefix("run-")
      }
      #expect(files.sorted() == ["outputs.json", "scan.yaml"])
    }

    @Test func `An order to kill that nobody understands is refused`() throws {
      expectFailure(64, try reconstruct("out", faults: "acquire=nowhere:1"), "nowhere:1", "flip-before")
    }

    @Test(arguments: [["--kills", "25"], ["--kills", "12", "--whole-machine"], ["--kills", "12", "--workers"]])
    func `A short campaign of random kills changes no bit`(campaign: [String]) throws {
      let seed = 20_261_121
      let chaos = URL(filePath: Command.executable).deletingLastPathComponent().appending(path: "chaos").path
      let outcome = try Command(campaign + ["--seed", "\(seed)"], executable: chaos).end()
      #expect(outcome.status == .exited(0), "seed \(seed): \(outcome.output)")
    }

    @Test func `An interrupted simulation leaves nothing behind`() throws {
      let other = try TestFolder()
      let command = try Command(["simulate", other.file("scan.h5"), "--projections", "5000"])
      try wait("the file is begun") { try !other.names().isEmpty }
      try command.process.signal(SIGINT)
      #expect(try command.end().status == .exited(130))
      #expect(try other.names().isEmpty)
    }

    @Test func `A killed supervisor takes its stages along, and the next run removes its regions`() throws {
      let (command, status) = try start()
      try command.process.signal(SIGKILL)
      #expect(try command.end().status == .killed(signal: SIGKILL))
      try wait("the stages end") { status.stages.allSatisfy { kill($0.pid, 0) != 0 } }
      #expect(try !regions(of: status.run).isEmpty)
      let next = try Command.run(
        "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file("next"), "--rotation-axis", "24",
        "--final-iterations", "1")
      #expect(next.status == .exited(0) && next.errors.contains("dead runs"), "\(next.errors)")
      #expect(try regions(of: status.run).isEmpty)
    }
  }
}
