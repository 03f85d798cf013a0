import Benchmarks
import Foundation
import Glibc
import Host
import TestSupport
import Testing

extension Pipeline {
  /// The benchmarks as a person would start them, small.
  @Suite struct BenchTests {
    private let folder: TestFolder

    init() throws { folder = try TestFolder() }

    private func bench(_ arguments: String...) throws -> Command.Outcome {
      try Command(["bench"] + arguments + ["--folder", folder.path, "--quiet"]).end()
    }

    private func decode<CampaignReport: Decodable>(_ type: CampaignReport.Type, _ outcome: Command.Outcome) throws
      -> CampaignReport
    {
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      return try JSONDecoder().decode(type, from: Data(outcome.output.utf8))
    }

    @Test func `Events are measured as one JSON object`() throws {
      let report = try decode(
        EventReport.self,
        bench("event", "--payload", "4K", "--seconds", "0.05", "--bytes", "4M", "--pairs", "1", "--json"))
      #expect(report.payloads.map(\.payloadBytes) == [4096])
      #expect(try folder.names().isEmpty)
    }

    @Test func `A stream is measured as fast as it goes and at a pace`() throws {
      let report = try decode(
        StreamReport.self,
        bench(
          "stream", "--shape", "20,4,32", "--window-length", "6", "--rate", "200", "--checkpoint-every", "5",
          "--workers", "2", "--json"))
      let runs = [try #require(report.saturated), try #require(report.paced)]
      for run in runs {
        #expect(run.projections == 20 && run.updates == 25)
        let (update, latency) = (try #require(run.update), try #require(run.latency))
        #expect(update.count == 2 * 25 && latency.count == 20)
        #expect(update.p50 <= update.p99 && latency.p50 <= latency.p99 && latency.p99 <= latency.max && latency.p50 > 0)
        #expect(try #require(run.updateShare) > 0 && run.seconds > 0 && run.journalBytes > 40 * 4096)
        #expect(
          Set(run.cpuSeconds.keys) == [
            "acquire", "distribute", "reconstruct.0", "reconstruct.1", "control", "export", "supervisor",
          ])
        #expect(run.restarts.values.allSatisfy { $0 == 0 } && run.exportSeconds >= 0)
      }
      // Twenty projections at 200 a second, the first one after the flats and darks.
      #expect(runs[1].seconds >= 0.09 && runs[1].rateLimit == 200)
      #expect(try folder.names().isEmpty)
    }

    @Test func `Journal and checkpoints are compared with memory`() throws {
      let report = try decode(
        StreamReport.self,
        bench("stream", "--shape", "12,2,32", "--window-length", "4", "--compare", "--pairs", "2", "--json"))
      let comparison = try #require(report.comparison)
      #expect(
        comparison.pairs.count == 2 && comparison.costRange[0] <= comparison.cost
          && comparison.cost <= comparison.costRange[1])
      for pair in comparison.pairs {
        #expect(pair.durable.durability == "durable" && pair.memory.durability == "memory")
        #expect(
          pair.durable.updates == 15 && pair.memory.updates == 15 && pair.durable.journalBytes > 0
            && pair.memory.journalBytes == 0)
      }
    }

    @Test func `What cannot be measured is refused in one line`() throws {
      expectFailure(64, try bench("event", "--payload", "12X"), "--payload 12X")
      expectFailure(64, try bench("event", "--payload", "0"), "--payload 0")
      expectFailure(64, try bench("event", "--seconds", "0"), "--seconds 0")
      expectFailure(64, try bench("event", "--bytes", "1K"), "--bytes 1024")
      expectFailure(64, try bench("stream", "--shape", "10,10"), "--shape 10,10")
      expectFailure(64, try bench("stream", "--shape", "10,0,64"), "--shape 10,0,64")
      expectFailure(64, try bench("stream", "--compare", "--pairs", "0"), "--pairs 0")
      expectFailure(
        64, try bench("stream", "--window-length", "4", "--window-step", "5", "--shape", "4,1,16"), "--window-step 5")
      expectFailure(73, try Command(["bench", "event", "--folder", folder.file("none")]).end(), "none")
      #expect(try folder.names().isEmpty)
    }

    /// Whether the first run has acquired everything; its worker has not updated everything by then.
    private func hasAcquired() throws -> Bool {
      guard let name = try folder.names().first else { return false }
      let runs = "\(folder.path)/\(name)/run-"
      // Seen too late: the second run does as well.
      if FileManager.default.fileExists(atPath: runs + "2") { return true }
      let log = runs + "1/log/acquire.jsonl"
      guard FileManager.default.fileExists(atPath: log) else { return false }
      return try String(contentsOfFile: log, encoding: .utf8).contains("finished")
    }

    @Test func `Ctrl-C ends a benchmark and leaves nothing`() throws {
      let command = try Command(["bench", "event", "--folder", folder.path])
      try wait("it measures") { try !folder.names().isEmpty }
      try command.process.signal(SIGINT)
      #expect(try command.end().status == .exited(128 + SIGINT))
      #expect(try folder.names().isEmpty)
      // A pipeline finishes with what it acquired: the benchmark ends after that run, also where nothing was left to
      // acquire.
      let stream = try Command(["bench", "stream", "--shape", "60,32,256", "--rate", "30", "--folder", folder.path])
      try wait("a run has acquired") { try hasAcquired() }
      try stream.process.signal(SIGINT)
      #expect(try stream.end().status == .exited(128 + SIGINT))
      #expect(try folder.names().isEmpty)
    }
  }
}
