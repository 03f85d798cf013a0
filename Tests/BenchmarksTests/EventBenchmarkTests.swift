import Benchmarks
import Foundation
import Host
import TestSupport
import Testing

@Suite(.serialized) struct EventBenchmarkTests {
  private let folder: TestFolder
  private var options = EventBenchmark.Options()

  init() throws {
    folder = try TestFolder()
    (options.payloads, options.seconds, options.bytes, options.pairs) = ([1000, 65_536], 0.05, 4 << 20, 2)
    options.folder = folder.path
  }

  private func expectInOrder(_ latency: Latency, count: Int, at location: SourceLocation = #_sourceLocation) {
    #expect(latency.count == count, sourceLocation: location)
    #expect(
      latency.p50 > 0 && latency.p50 <= latency.p99 && latency.p99 <= latency.p999 && latency.p999 <= latency.max,
      "\(latency)",
      sourceLocation: location)
  }

  @Test func `Every event that was asked for is counted, and the figures are in order`() throws {
    let (regionPrefix, report) = try measure()
    #expect(report.small.memory.timed.count == report.small.durable.timed.count && report.small.memory.inBurst > 0)
    #expect(report.payloads.map(\.payloadBytes) == options.payloads)
    #expect(report.payloads.map(\.recordBytes) == [8192, 69_632])
    for payload in report.payloads {
      let count = Int((payload.load.eventsPerSecond * options.seconds).rounded())
      for latency in [payload.enqueue, payload.visible, payload.durable] {
        expectInOrder(latency, count: max(1, count))
      }
      #expect(payload.load.eventsPerSecond <= 1000 && payload.load.fractionOfThroughput <= 0.5001)
      let rate = payload.throughput
      #expect(
        rate.pairs.count == options.pairs && rate.bytes >= options.bytes / 2 && rate.bytes % payload.recordBytes == 0)
      #expect(rate.payload < rate.journal && rate.pairs.allSatisfy { min($0.journal, $0.raw, $0.rawSynced) > 0 })
    }
    let decoded = try JSONDecoder().decode(EventReport.self, from: JSONEncoder().encode(report))
    #expect(decoded.payloads[1].durable == report.payloads[1].durable)
    #expect(try folder.names().isEmpty)
    #expect(try SharedRegion.names(prefix: regionPrefix).isEmpty)
  }

  /// Runs a benchmark that is gone afterwards.
  private func measure() throws -> (regionPrefix: String, report: EventReport) {
    let benchmark = try EventBenchmark(options, interrupt: {}, notice: { _ in })
    return (benchmark.regionPrefix, try benchmark.run())
  }

  @Test func `An interruption ends it and leaves nothing`() throws {
    struct Interrupted: Error {}
    // The last interruption comes while a journal and the raw file are there.
    for limit in [1, 500, 803] {
      var calls = 0
      #expect(throws: Interrupted.self) {
        _ = try EventBenchmark(
          options,
          interrupt: {
            calls += 1
            if calls == limit { throw Interrupted() }
          }, notice: { _ in }
        ).run()
      }
      #expect(calls == limit)
      #expect(try folder.names().isEmpty)
    }
  }
}
