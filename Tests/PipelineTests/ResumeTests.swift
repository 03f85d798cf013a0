import Foundation
import Glibc
import Host
import Run
import RunModel
import ScanPlan
import TestSupport
import Testing

extension Pipeline {
  /// Runs whose supervisor died, or the whole machine.
  @Suite struct ResumeTests {
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = try folder.simulate(rows: 6, columns: 48, projections: 100)
    }

    private func recon(_ name: String, _ options: String...) throws -> Command {
      try Command(
        [
          "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file(name), "--run-folder",
          folder.file(name + "-run"),
          "--rotation-axis", "24",
          "--workers",
          "2", "--window-length", "6", "--final-iterations", "3", "--checkpoint-every", "7", "--quiet", "--json",
        ] + options)
    }

    private func resume(_ name: String) throws -> Command {
      try Command(["resume", folder.file(name + "-run"), "--quiet", "--json"])
    }

    /// Kills the supervisor once the run has made some updates, and deletes all of its shared memory: what a power cut
    /// leaves is on disk.
    private func cutPower(_ command: Command, _ name: String, after updates: Int) throws {
      var status: RunStatus?
      try wait("\(updates) updates") {
        let data = FileManager.default.contents(atPath: folder.file(name + "-run/status.json"))
        status = try data.map { try JSONDecoder().decode(RunStatus.self, from: $0) }
        return (status?.updates ?? 0) >= updates
      }
      try command.process.signal(SIGKILL)
      #expect(try command.end().status == .killed(signal: SIGKILL))
      let dead = try #require(status)
      try wait("the stages end") { dead.stages.allSatisfy { kill($0.pid, 0) != 0 } }
      for name in try regions(of: dead.run) { try SharedRegion.unlink(name: name) }
    }

    private func expect(
      _ outcome: Command.Outcome, like reference: RunResult, at location: SourceLocation = #_sourceLocation
    ) throws {
      #expect(outcome.status == .exited(0), "\(outcome.errors)", sourceLocation: location)
      let result = try outcome.result()
      #expect(result.volumeSHA256 == reference.volumeSHA256, sourceLocation: location)
      #expect(result.projections == 100 && result.lost == 0 && result.duplicates == 0, sourceLocation: location)
      #expect(
        result.updates == reference.updates && result.outputs.count == reference.outputs.count, sourceLocation: location
      )
    }

    @Test func `The last residual of a run's status is that of its last updates`() throws {
      let runs = try KilledRuns()
      for name in ["first", "second", "third"] {
        _ = try runs.recon(name).end().result()
        let last = try RunHistory(RunFolder(path: runs.run(name))).updates.map { try #require($0.last).event }
        let squares = last.reduce((0.0, 0.0)) { ($0.0 + $1.residualSquared, $0.1 + $1.dataSquared) }
        #expect(try runs.status(name).residual == (squares.0 / squares.1).squareRoot(), "\(name)")
      }
    }

    @Test func `A run goes on after the machine died, and the volume has the same bits`() throws {
      let reference = try recon("reference").end().result()
      let command = try recon("out", "--rate", "30", "--lag-max", "0")
      try cutPower(command, "out", after: 20)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.file("out-run/checkpoints")).count > 0)
      // What an export that died has left of a file.
      let data = try Data(contentsOf: URL(filePath: folder.file("out-run/status.json")))
      let export = try #require(
        try JSONDecoder().decode(RunStatus.self, from: data).stages.first { $0.name == "export" })
      let leftover = folder.file("out/.slipring-\(export.pid)-1.tmp")
      try Data(count: 10).write(to: URL(filePath: leftover))
      let again = try resume("out")
      try cutPower(again, "out", after: 60)
      try expect(resume("out").end(), like: reference)
      #expect(!FileManager.default.fileExists(atPath: leftover))
      // A finished run has its result, and where a file of it was taken away it is exported once more.
      try expect(resume("out").end(), like: reference)
      try FileManager.default.removeItem(atPath: folder.file("out/foam_rec.h5"))
      try expect(resume("out").end(), like: reference)
      #expect(try folder.names(in: "out").contains("foam_rec.h5"))
    }

    @Test func `A damaged checkpoint costs time and no bits`() throws {
      let reference = try recon("reference").end().result()
      let command = try recon("out", "--rate", "60", "--lag-max", "0")
      try cutPower(command, "out", after: 40)
      let checkpoints = folder.file("out-run/checkpoints")
      for name in try FileManager.default.contentsOfDirectory(atPath: checkpoints) {
        let file = try FileHandle(forUpdating: URL(filePath: "\(checkpoints)/\(name)"))
        try file.seek(toOffset: 5000)
        try file.write(contentsOf: Data([0xAA, 0x55, 0xAA]))
        try file.close()
      }
      try expect(resume("out").end(), like: reference)
    }

    @Test func `A living run is not taken over, and its supervisor is named`() throws {
      let command = try recon("out", "--rate", "60", "--lag-max", "0")
      try wait("the run starts") { FileManager.default.fileExists(atPath: folder.file("out-run/status.json")) }
      expectFailure(73, try resume("out").end(), "living supervisor, process \(command.process.pid);")
      #expect(try command.end().status == .exited(0))
    }

    @Test func `Of several who take a run over at the same time one does, and is named to the others`() throws {
      let reference = try recon("reference").end().result()
      let command = try recon("out", "--rate", "60", "--lag-max", "0")
      try cutPower(command, "out", after: 10)
      let rivals = try (0..<3).map { _ in try resume("out") }
      let outcomes = try rivals.map { try $0.end() }
      let winners = outcomes.indices.filter { outcomes[$0].status == .exited(0) }
      try #require(winners.count == 1, "\(outcomes)")
      for (index, outcome) in outcomes.enumerated() where index != winners[0] {
        expectFailure(73, outcome, "living supervisor, process ")
      }
      try expect(outcomes[winners[0]], like: reference)
    }

    @Test(arguments: ["projections", "volume.1"])
    func `Shared memory that somebody cuts off fails the run and is named, and the run goes on with new one`(
      region: String
    ) throws {
      let reference = try recon("reference").end().result()
      let command = try recon("out", "--rate", "60", "--lag-max", "0")
      var status: RunStatus?
      try wait("some updates") {
        let data = FileManager.default.contents(atPath: folder.file("out-run/status.json"))
        status = try data.map { try JSONDecoder().decode(RunStatus.self, from: $0) }
        return (status?.updates ?? 0) > 10
      }
      let run = try #require(status?.run)
      let name = try #require(try regions(of: run).first { $0.hasSuffix("/\(region)") })
      try #require(truncate("/dev/shm/" + name, 0) == 0)
      expectFailure(71, try command.end(), "/dev/shm/\(name) was cut from", "to 0 bytes", "slipring resume")
      #expect(try regions(of: run).isEmpty)
      try expect(resume("out").end(), like: reference)
    }

    @Test func `The status of a resumed run counts what was there before`() throws {
      let command = try recon("out", "--final-iterations", "3000")
      var status: RunStatus?
      try wait("the final iterations") {
        let data = FileManager.default.contents(atPath: folder.file("out-run/status.json"))
        status = try data.map { try JSONDecoder().decode(RunStatus.self, from: $0) }
        return status?.phase == .finalIterations
      }
      let dead = try #require(status)
      try command.process.signal(SIGKILL)
      _ = try command.end()
      try wait("the stages end") { dead.stages.allSatisfy { kill($0.pid, 0) != 0 } }
      for name in try regions(of: dead.run) { try SharedRegion.unlink(name: name) }
      // Acquire and distribute have nothing to add: what they did is in no ring any more.
      let result = try resume("out").end().result()
      let end = try JSONDecoder().decode(
        RunStatus.self, from: Data(contentsOf: URL(filePath: folder.file("out-run/status.json"))))
      #expect(end.phase == .finished && end.acquired == 100 && end.reconstructed == 100, "\(end)")
      #expect(end.updates == result.updates && end.sweptFraction == 1 && end.residual != nil, "\(end)")
    }

    @Test func `A run in memory has nothing to resume from`() throws {
      #expect(try recon("out", "--durability", "memory").end().status == .exited(0))
      expectFailure(64, try resume("out").end(), "--durability memory")
      expectFailure(66, try Command.run("resume", folder.path), "not the folder of a run")
    }

    @Test func `A run of an older version is refused in one line and left as it is`() throws {
      #expect(try recon("out").end().status == .exited(0))
      let run = folder.file("out-run")
      let path = URL(filePath: run + "/plan.json")
      var plan = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: path)) as? [String: Any])
      #expect(plan.removeValue(forKey: "version") as? Int == RunPlan.versionRead)
      try JSONSerialization.data(withJSONObject: plan).write(to: path)
      for worker in 0...1 {
        try FileManager.default.moveItem(
          atPath: "\(run)/journal/orders.\(worker)", toPath: "\(run)/journal/chunks.\(worker)")
      }
      let before = try FileManager.default.subpathsOfDirectory(atPath: run).sorted()
      for command in [["resume", run], ["status", run], ["journal", "verify", run], ["journal", "salvage", run]] {
        let outcome = try Command(command).end()
        expectFailure(65, outcome, "\(run) was made by another version of Slipring", "has no version")
        #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
      }
      #expect(try FileManager.default.subpathsOfDirectory(atPath: run).sorted() == before)
    }

    @Test func `Damage of what was acknowledged is reported and never passed over`() throws {
      let command = try recon("out", "--rate", "60", "--lag-max", "0")
      try cutPower(command, "out", after: 40)
      let journal = folder.file("out-run/journal/projections.0")
      let segment = try #require(
        try FileManager.default.contentsOfDirectory(atPath: journal).first { $0.hasSuffix(".segment") })
      let file = try FileHandle(forUpdating: URL(filePath: "\(journal)/\(segment)"))
      // The header of the third record: the page of the segment, then two records of a page and 6 × 48 × 2 B of pixels.
      try file.seek(toOffset: UInt64(4096 + 2 * 8192 + 64))
      try file.write(contentsOf: Data([0xAA, 0x55, 0xAA]))
      try file.close()
      let verified = try Command.run("journal", "verify", folder.file("out-run"))
      expectFailure(65, verified, "projections: records 2..<3")
      #expect(verified.output.contains("updates.1: records 0..<"))
      let outcome = try resume("out").end()
      #expect(outcome.status == .exited(65), "\(outcome.errors)")
      #expect(outcome.errors.contains("projections.0"), "\(outcome.errors)")
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder.file("out")).allSatisfy { !$0.hasPrefix("recon_") })
      let salvaged = try Command.run("journal", "salvage", folder.file("out-run"))
      #expect(
        salvaged.status == .exited(0) && salvaged.output.contains("projections: gave up records 2..<3"),
        "\(salvaged.output)")
      let listed = try Command.run("journal", "list", folder.file("out-run"))
      #expect(listed.status == .exited(0) && listed.output.contains("given up 2..<3"), "\(listed.output)")
    }
  }
}
