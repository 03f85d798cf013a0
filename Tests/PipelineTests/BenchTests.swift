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
      let stages: Set = ["acquire", "distribute", "reconstruct.0", "reconstruct.1", "control", "export", "supervisor"]
      for run in runs {
        #expect(run.projections == 20 && run.updates == 25)
        let (update, latency) = (try #require(run.update), try #require(run.latency))
        #expect(update.count == 2 * 25 && latency.count == 20)
        #expect(update.p50 <= update.p99 && latency.p50 <= latency.p99 && latency.p99 <= latency.max && latency.p50 > 0)
        #expect(try #require(run.updateShare) > 0 && run.seconds > 0 && run.journalBytes > 40 * 4096)
        // A source that waits for nobody is not watched.
        #expect(Set(run.cpuSeconds.keys) == (run.rateLimit == nil ? stages : stages.union(["watch"])))
        #expect(run.restarts.values.allSatisfy { $0 == 0 } && run.exportSeconds >= 0)
      }
      // Twenty projections at 200 a second, the first one after the flats and darks.
      #expect(runs[1].seconds >= 0.09 && runs[1].rateLimit == 200)
      #expect(try folder.names().isEmpty)
    }

    @Test func `Windows of several kinds are measured in one run, with what they reach`() throws {
      let report = try decode(
        StreamReport.self,
        bench(
          "stream", "--shape", "12,2,32", "--window-length", "4,6", "--window-step", "1,6", "--spread", "--workers",
          "1",
          "--json"))
      let windows = try #require(report.windows)
      // A step of 6 leaves projections between windows of 4 out.
      #expect(windows.map(\.windows) == ["4, 1", "6, 1", "6, 6", "1 + 2 spread"])
      #expect(windows.map(\.run.updates) == [15, 17, 2, 12] && report.saturated == nil)
      for figures in windows {
        #expect(figures.gigaupdates > 0 && figures.fractionOfMultiplyAdds > 0 && figures.fractionOfMultiplyAdds < 1)
        #expect(figures.fractionOfMemory > 0 && figures.fractionOfMemory < 1)
      }
      #expect(try folder.names().isEmpty)
    }

    @Test func `A row of a scan file is looked at without a truth, and its pictures are left`() throws {
      let scan = folder.file("foam.h5"), pictures = folder.file("pictures")
      let made = try Command.run("simulate", scan, "--rows", "1", "--columns", "64", "--projections", "60", "--quiet")
      try #require(made.status == .exited(0), "\(made.errors)")
      let outcome = try Command.run(
        "bench", "quality", scan, "--rotation-axis", "32", "--slices", "1", "--iterations", "5", "--pictures", pictures,
        "--json")
      let table = try #require(try decode(QualityReport.self, outcome).tables.first)
      #expect(table.rows.allSatisfy { $0.known == nil && $0.looks != nil && $0.residual > 0 && $0.residual < 1 })
      // The flats tell the noise: 20,000 photons, less where the sample absorbs.
      #expect(try #require(table.noise) > 0.007 && table.largest > 1)
      #expect(try FileManager.default.contentsOfDirectory(atPath: pictures).contains("scan-fbp-hann.tiff"))
      expectFailure(64, try Command.run("bench", "quality", "--phantom", "fog"), "--phantom fog")
      expectFailure(64, try Command.run("bench", "quality", "--noise", "0.1", "--photons", "9"), "exclude")
      expectFailure(64, try Command.run("bench", "quality", "--iterations", "many"), "--iterations many")
      expectFailure(64, try Command.run("bench", "quality", "--angles", "60,", "--grid"), "--angles 60,")
      expectFailure(
        64, try Command.run("bench", "quality", "--noise", "0.1,0.2", "--pictures", pictures), "--pictures")
      expectFailure(64, try Command.run("bench", "quality", "--row", "1"), "--row")
      expectFailure(64, try Command.run("bench", "quality", scan, "--phantom", "rock"), "--phantom rock")
      expectFailure(65, try Command.run("bench", "quality", scan, "--row", "1"), "row 1")
      expectFailure(66, try Command.run("bench", "quality", folder.file("none.h5")), "none.h5")
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
      expectFailure(64, try bench("stream", "--window-length", "4,", "--window-step", "1"), "--window-length 4,")
      expectFailure(64, try bench("stream", "--window-length", "4,8", "--compare"), "--compare")
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
