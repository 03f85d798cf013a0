import ArgumentParser
import Benchmarks
import Glibc
import Host
import Run
import ScanPlan

/// Events: what one costs, and how fast they become visible and durable.
struct BenchEvent: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "event",
    abstract: "Measures events: enqueue, visible-to-reader and durable latency, and the journal beside the raw device.",
    discussion: """
      Latencies are measured at half of the measured throughput, at most 1000 events a second; throughput is measured \
      saturated, in turn with O_DIRECT writes to the same disk. Everything that is written is removed.
      """)

  @Option(
    help: ArgumentHelp(
      "Bytes of payload, with K, M or G; may be repeated. (default: 1K, 64K, 1M, 8M)", valueName: "size"))
  var payload: [String] = []
  @Option(help: "Seconds of each latency measurement.") var seconds = 3.0
  @Option(help: ArgumentHelp("Bytes of each throughput measurement, with K, M or G.", valueName: "size")) var bytes =
    "512M"
  @Option(help: "Throughput measurements of journal and device in turn.") var pairs = 5
  @Option(help: "Folder on the disk that is measured.") var folder = "."
  @Option(help: "Folder for a second copy of the journals.", completion: .directory) var mirror: String?
  @Flag(help: "Print the report as one JSON object.") var json = false
  @Flag(help: "Print errors only.") var quiet = false

  func run() throws {
    // Before any thread, so that every thread leaves the signals to the descriptor.
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    var options = EventBenchmark.Options()
    if !payload.isEmpty { options.payloads = try payload.map { try Self.size($0, "--payload") } }
    (options.seconds, options.pairs, options.folder) = (seconds, pairs, folder)
    options.mirror = mirror
    options.bytes = try Self.size(bytes, "--bytes")
    let benchmark = try EventBenchmark(options, interrupt: { try signals.stopOnSignal() }) { text in
      if !quiet { Console.notice("measuring: \(text)") }
    }
    let report = try benchmark.run()
    if json { return try Console.json(report) }
    for line in Self.table(report) { Console.result(line) }
  }

  private static func size(_ text: String, _ option: String) throws -> Int {
    guard let bytes = ByteSize.parse(text) else {
      throw ScanFailure(.usage, "\(option) \(text) is not a number of bytes, as in 512, 64K or 1M")
    }
    return bytes
  }

  private static func table(_ report: EventReport) -> [String] {
    var lines = [
      "\(report.processor), \(report.cores) cores, \(report.mechanism), \(report.build) build",
      "a reading of the clock takes \(report.clock.p50) ns; it is part of the single figures below",
      small("memory", report.small.memory), small("durable", report.small.durable),
      row("payload", "µs:", "p50", "p99", "p99.9", "max", "events", "at/s"),
    ]
    for payload in report.payloads {
      let (size, rate) = (ByteSize.text(payload.payloadBytes), "\(Int(payload.load.eventsPerSecond.rounded()))")
      for (name, latency) in [("enqueue", payload.enqueue), ("visible", payload.visible), ("durable", payload.durable)]
      {
        let figures = [latency.p50, latency.p99, latency.p999, latency.max].map(micro)
        lines.append(row(size, name, figures[0], figures[1], figures[2], figures[3], "\(latency.count)", rate))
      }
    }
    lines.append(row("payload", "MB/s:", "journal", "raw", "raw sync", "ratio", "to sync"))
    for payload in report.payloads {
      let rate = payload.throughput
      lines.append(
        row(
          ByteSize.text(payload.payloadBytes), "", whole(rate.journal), whole(rate.raw), whole(rate.rawSynced),
          whole(rate.ratio * 100) + " %", whole(rate.ratioToSynced * 100) + " %"))
    }
    return lines
  }

  private static func small(_ durability: String, _ figures: EventReport.Enqueue) -> String {
    "small event, \(durability) topic: enqueue p50 \(figures.timed.p50) ns, p99 \(figures.timed.p99) ns; "
      + "\(whole(figures.inBurst)) ns an event in bursts of \(figures.burst)"
  }

  private static func whole(_ value: Double) -> String { "\(Int(value.rounded()))" }

  private static func micro(_ nanoseconds: UInt64) -> String { ProgressLine.oneDecimal(Double(nanoseconds) / 1000) }

  private static func row(_ name: String, _ cells: String...) -> String {
    name + String(repeating: " ", count: max(1, 9 - name.count))
      + cells.map { String(repeating: " ", count: max(1, 10 - $0.count)) + $0 }.joined()
  }
}
