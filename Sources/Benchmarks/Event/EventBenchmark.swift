internal import Host
internal import Rings
import RunModel
import ScanPlan

/// Measures what an event costs its writer, how soon its reader has it, and how fast the journal is beside the device
/// alone.
package final class EventBenchmark {
  /// What is measured, and how long.
  package struct Options: Sendable {
    /// Bytes of payload of each part.
    package var payloads = [1 << 10, 64 << 10, 1 << 20, 8 << 20]
    /// Seconds of each latency measurement.
    package var seconds = 3.0
    /// Bytes of each throughput measurement.
    package var bytes = 512 << 20
    /// Pairs of throughput measurements.
    package var pairs = 5
    /// Where journals and the raw file go, and are removed from.
    package var folder = "."
    /// Where the journals go once more; nil for one copy.
    package var mirror: String?

    /// The defaults.
    package init() {}
  }

  let options: Options
  let interrupt: () throws -> Void
  private let notice: (String) -> Void
  let runID = RunID.random()
  private let names: RegionNames
  private let lock: RegionLock
  private let folder: TemporaryFolder
  private let mirror: TemporaryFolder?
  private var topicCount = 0

  /// Memory of a ring, as a run's projections have it, and its slots.
  private static let ringByteCount = 256 << 20
  private static let slotLimits = 8...4096
  private static let payloadLimits = 1...(1 << 30)
  /// Slots of a run's `updates`, whose events have no payload either.
  private static let smallSlots = 256
  /// Latencies are measured at this part of the throughput, and at most at this rate: a queue would be measured
  /// otherwise.
  private static let (loadFraction, rateMax) = (0.5, 1000.0)

  /// `interrupt` is called often and ends the benchmark by throwing; `notice` hears what is being measured.
  ///
  /// Throws `.usage` for options without a meaning, `.cannotCreate` where disk or shared memory have no room.
  package init(_ options: Options, interrupt: @escaping () throws -> Void, notice: @escaping (String) -> Void) throws {
    try Self.validate(options)
    self.options = options
    self.interrupt = interrupt
    self.notice = notice
    names = RegionNames(runID: runID)
    folder = try TemporaryFolder(in: options.folder)
    mirror = try options.mirror.map { try TemporaryFolder(in: $0) }
    lock = try RegionLock(name: names.lock)
    try checkRoom()
  }

  /// What the name of everything that it has in /dev/shm begins with.
  package var regionPrefix: String { names.prefix }

  /// Every name in /dev/shm goes, whatever happened; what a killed benchmark leaves, the next run sweeps away.
  deinit {
    guard let found = try? SharedRegion.names(prefix: names.prefix) else { return }
    for name in found { try? SharedRegion.unlink(name: name) }
  }

  /// Measures all of it.
  package func run() throws -> EventReport {
    notice("clock, small events")
    let clock = Latency(Self.clockReadings(count: 100_000))
    let small = EventReport.Small(
      metadataBytes: 8, memory: try enqueue(durable: false), durable: try enqueue(durable: true))
    let payloads = try options.payloads.map { payload in
      notice("payload \(ByteSize.text(payload))")
      return try measure(payload)
    }
    return try EventReport(
      build: buildName, mechanism: Self.mechanism, processor: Machine.processorName, cores: Affinity.current().count,
      clock: clock,
      small: small, payloads: payloads)
  }

  private func measure(_ payload: Int) throws -> EventReport.Payload {
    let throughput = try throughput(payload)
    let stride = Self.recordByteCount(payload)
    let rate = min(Self.rateMax, Self.loadFraction * throughput.journal * 1e6 / Double(stride))
    let visible = try pace(payload, rate: rate, durable: false)
    let durable = try pace(payload, rate: rate, durable: true)
    return EventReport.Payload(
      payloadBytes: payload, recordBytes: stride, slots: Self.slots(payload),
      load: EventReport.Load(
        kind: "paced", eventsPerSecond: rate, fractionOfThroughput: rate * Double(stride) / (throughput.journal * 1e6)),
      enqueue: Latency(durable.enqueue), visible: Latency(visible.arrivals), durable: Latency(durable.arrivals),
      throughput: throughput)
  }

  /// Calls `body` with a new topic, and removes all of it afterwards; where that throws, everything goes with this
  /// object.
  func withTopic<Result>(_ payload: Int, durable: Bool, _ body: (MeasuredTopic) throws -> Result) throws -> Result {
    topicCount += 1
    let name = "\(topicCount)"
    let source = UnsafeMutableRawBufferPointer.allocate(byteCount: max(payload, 8), alignment: 4096)
    defer { source.deallocate() }
    var generator = SystemRandomNumberGenerator()
    for index in 0..<source.count / 8 {
      source.storeBytes(of: generator.next(), toByteOffset: 8 * index, as: UInt64.self)
    }
    let topic = try MeasuredTopic(
      name: names.prefix + name, runID: runID, payload: payload, slots: Self.slots(payload),
      source: UnsafeRawBufferPointer(source),
      folder: durable ? path(name) : nil, mirror: durable ? mirror.map { "\($0.path)/\(name)" } : nil)
    let result = try body(topic)
    try topic.unlink()
    if durable { for folder in [folder, mirror] { try folder?.remove(name) } }
    return result
  }

  /// A path in the benchmark's own folder.
  func path(_ name: String) -> String { "\(folder.path)/\(name)" }

  /// Bytes from slot to slot, and from record to record.
  static func recordByteCount(_ payload: Int) -> Int {
    RingSpecification(runID: RunID.random(), topic: 1, slotCount: 1, payloadCapacity: payload, requiredReaders: 1)
      .slotStride
  }

  static func slots(_ payload: Int) -> Int {
    if payload == 0 { return smallSlots }
    return min(max(ringByteCount / recordByteCount(payload), slotLimits.lowerBound), slotLimits.upperBound)
  }

  private static func clockReadings(count: Int) -> [UInt64] {
    var readings = [UInt64](repeating: 0, count: count)
    for index in 0..<count {
      let before = Machine.monotonicNanoseconds
      readings[index] = Machine.monotonicNanoseconds - before
    }
    return readings
  }

  private static var mechanism: String {
    switch Machine.ioUring {
    case .available: "io_uring"
    case .refused: "pwritev2"
    }
  }

  private static func validate(_ options: Options) throws(ScanFailure) {
    for payload in options.payloads where !payloadLimits.contains(payload) {
      throw ScanFailure(.usage, "--payload \(payload) is outside 1…1G")
    }
    guard !options.payloads.isEmpty else { throw ScanFailure(.usage, "there is no --payload to measure") }
    guard options.seconds > 0, options.seconds <= 3600 else {
      throw ScanFailure(.usage, "--seconds \(options.seconds) is outside 0…3600")
    }
    guard (1...1000).contains(options.pairs) else {
      throw ScanFailure(.usage, "--pairs \(options.pairs) is outside 1…1000")
    }
    guard (1 << 20...64 << 30).contains(options.bytes) else {
      throw ScanFailure(.usage, "--bytes \(options.bytes) is outside 1M…64G")
    }
  }

  private func checkRoom() throws {
    let largest = Self.recordByteCount(options.payloads.max() ?? 0)
    // A measurement is rounded up to a batch; the last segment may be empty.
    let needed = options.bytes + 4 * max(largest, 4 << 20) + Self.ringByteCount
    let free = try Machine.diskFree(options.folder)
    guard needed <= free else {
      throw ScanFailure(
        .cannotCreate,
        "the benchmark needs \(needed) bytes and \(options.folder) has \(free) free; choose another --folder")
    }
  }
}
