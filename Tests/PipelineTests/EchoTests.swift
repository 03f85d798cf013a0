import Foundation
import Host
import Journal
import Rings
import RunModel
import Stages
import TestSupport
import Testing

@testable import Run

extension Pipeline {
  /// A stage that one row of `Wiring` and one folder bring into a run: everything else follows.
  @Suite struct EchoTests {
    private let folder: TestFolder
    private let scan: String
    private let variables = ["SLIPRING_EXAMPLES": "echo"]

    init() throws {
      folder = try TestFolder()
      scan = try folder.simulate(rows: 4, columns: 48, projections: 60)
    }

    private func recon(
      _ name: String, faults: String? = nil, variables: [String: String] = [:], _ options: String...
    ) throws -> Command.Outcome {
      try Command(
        [
          "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file(name), "--run-folder",
          folder.file(name + "-run"),
          "--rotation-axis", "24", "--workers", "2", "--window-length", "6", "--final-iterations", "2", "--quiet",
          "--json",
        ] + options, faults: faults, variables: variables
      ).end()
    }

    /// The bodies of the updates in a topic of the run, in their order.
    private func updates(_ name: String, _ topic: Topic) throws -> [[UInt8]] {
      let run = RunFolder(path: folder.file(name + "-run"))
      let reader = try RunJournals(run).reader(of: topic)
      let page = UnsafeMutableRawBufferPointer.allocate(
        byteCount: reader.stride, alignment: EventHeader.pageByteCount)
      defer { page.deallocate() }
      return try reader.sequences().joined().compactMap { sequence in
        let record = try reader.read(sequence: sequence, into: page)
        return record.header.kind == .update ? Array(record.metadata) : nil
      }
    }

    @Test func `An echo publishes every update once, however often it is killed, and changes no bit`() throws {
      let plain = try recon("plain").result()
      let outcome = try recon("echo", faults: "echo=unreleased:5,unreleased:40", variables: variables)
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.volumeSHA256 == plain.volumeSHA256 && result.restarts["echo"] == 2)
      let workers = try (0..<2).map { try updates("echo", .updates(partition: $0)) }
      let echoed = try updates("echo", Topic(.echo))
      #expect(Set(echoed) == Set(workers.joined()) && echoed.count == workers.reduce(0) { $0 + $1.count })
      for worker in workers { #expect(echoed.filter(Set(worker).contains) == worker) }
    }

    @Test func `A run in memory has the stage as well`() throws {
      let outcome = try recon("memory", faults: "echo=unreleased:7", variables: variables, "--durability", "memory")
      #expect(try outcome.status == .exited(0) && outcome.result().restarts["echo"] == 1, "\(outcome.errors)")
    }

    @Test func `A stage that nobody knows is refused in one line`() throws {
      let outcome = try recon("unknown", variables: ["SLIPRING_EXAMPLES": "ecco"])
      #expect(outcome.status == .exited(64) && outcome.errors.contains("SLIPRING_EXAMPLES: there is no stage ecco"))
    }

    /// The probe that `Tests/UpdateProbe` holds as an example.
    @Test func `A probe of one topic sees the updates of a running scan, and its end`() throws {
      let run = folder.file("probed-run")
      let recon = try Command([
        "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file("probed"), "--run-folder", run,
        "--rotation-axis", "24",
        "--workers", "1", "--window-length", "6", "--final-iterations", "2", "--rate", "40", "--lag-max", "0",
        "--quiet", "--json",
      ])
      try wait("the run has begun") { FileManager.default.fileExists(atPath: run + "/status.json") }
      let status = try RunFolder(path: run).readStatus().status
      let program = URL(filePath: Command.executable).deletingLastPathComponent().appending(path: "UpdateProbe").path
      let probe = try Command([status.run], executable: program).end()
      let result = try recon.end().result()
      #expect(probe.status == .exited(0), "\(probe.output)")
      let lines = probe.output.split(separator: "\n")
      #expect(lines.count == result.updates && lines.first?.hasPrefix("update 0, projections 0..<") == true)
    }
  }
}
