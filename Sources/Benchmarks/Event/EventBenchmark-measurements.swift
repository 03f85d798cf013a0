internal import Glibc
internal import Host
internal import Rings

// The single measurements, each with topics of its own.
extension EventBenchmark {
  /// Events of a burst: well within the ring, so that no claim waits.
  private static var burst: Int { 128 }
  private static var bursts: Int { 400 }
  /// How long events may take to arrive; a disk that takes longer is broken.
  private static var patience: Duration { .seconds(60) }
  /// A journal's batch closes at so many bytes.
  private static var batchByteCount: Int { 4 << 20 }

  /// Claim and commit of events without a payload: bursts whose events are timed one by one alternate with bursts that
  /// are timed as a whole.
  func enqueue(durable: Bool) throws -> EventReport.Enqueue {
    var single = [UInt64](repeating: 0, count: Self.burst * Self.bursts)
    var whole: [Double] = []
    try withTopic(0, durable: durable) { topic in
      let arrivals = try Arrivals(of: topic.ring, expecting: 2 * single.count)
      for round in 0..<Self.bursts {
        try interrupt()
        for index in 0..<Self.burst {
          let start = Machine.monotonicNanoseconds
          try topic.deliverUntimed(from: start)
          single[round * Self.burst + index] = Machine.monotonicNanoseconds - start
        }
        try settle(topic, arrivals, count: (2 * round + 1) * Self.burst)
        let start = Machine.monotonicNanoseconds
        for _ in 0..<Self.burst { try topic.deliverUntimed(from: start) }
        whole.append(Double(Machine.monotonicNanoseconds - start) / Double(Self.burst))
        try settle(topic, arrivals, count: (2 * round + 2) * Self.burst)
      }
      _ = try arrivals.finish(timeout: Self.patience)
    }
    return EventReport.Enqueue(timed: Latency(single), inBurst: median(whole), burst: Self.burst)
  }

  private func settle(_ topic: MeasuredTopic, _ arrivals: Arrivals, count: Int) throws {
    try topic.flush()
    guard arrivals.wait(for: count, timeout: Self.patience) else {
      _ = try arrivals.finish(timeout: .zero)
      throw BenchmarkError.missing(arrived: arrivals.count, expected: count)
    }
  }

  /// Events at even intervals: what each cost its writer, and when its reader had it. An event that comes late because
  /// an earlier one was held up counts from when it was due.
  func pace(_ payload: Int, rate: Double, durable: Bool) throws -> (enqueue: [UInt64], arrivals: [UInt64]) {
    let total = max(1, Int((rate * options.seconds).rounded()))
    // A topic holds what a throughput measurement writes, so that the disk does not fill.
    let part = max(1, options.bytes / Self.recordByteCount(payload))
    var (enqueue, latencies): ([UInt64], [UInt64]) = ([], [])
    while enqueue.count < total {
      let count = min(part, total - enqueue.count)
      try withTopic(payload, durable: durable) { topic in
        let arrivals = try Arrivals(of: topic.ring, expecting: count)
        let start = Machine.monotonicNanoseconds + 1_000_000
        for index in 0..<count {
          let due = start + UInt64(Double(index) * 1e9 / rate)
          try pause(until: due)
          enqueue.append(try topic.deliver(from: due))
        }
        latencies += try arrivals.finish(timeout: Self.patience).latencies
      }
    }
    return (enqueue, latencies)
  }

  /// Sleeps until shortly before `due`, and then looks at the clock: a sleep ends up to 0.1 ms late.
  private func pause(until due: UInt64) throws {
    let now = Machine.monotonicNanoseconds
    if due > now + 300_000 {
      try interrupt()
      usleep(UInt32(clamping: (due - now - 200_000) / 1000))
    }
    while Machine.monotonicNanoseconds < due {}
  }

  /// Journal and device in turn.
  func throughput(_ payload: Int) throws -> EventReport.Throughput {
    let stride = Self.recordByteCount(payload)
    let block = (Self.batchByteCount + stride - 1) / stride * stride
    let total = max(1, options.bytes / block) * block
    var pairs: [EventReport.Pair] = []
    for _ in 0..<options.pairs {
      let pair = try withTopic(payload, durable: true) { topic in
        let journal = try saturate(topic, events: total / stride, bytes: total)
        let raw = RawDevice(path: path("raw"), memory: topic.ring.mapping, block: block, total: total)
        try interrupt()
        let unsynced = try raw.rate(syncingBlocks: false)
        try interrupt()
        let synced = try raw.rate(syncingBlocks: true)
        return EventReport.Pair(journal: journal / 1e6, raw: unsynced / 1e6, rawSynced: synced / 1e6)
      }
      pairs.append(pair)
    }
    let journal = median(pairs.map(\.journal))
    return EventReport.Throughput(
      journal: journal, payload: journal * Double(payload) / Double(stride), raw: median(pairs.map(\.raw)),
      rawSynced: median(pairs.map(\.rawSynced)), ratio: median(pairs.map { $0.journal / $0.raw }),
      ratioToSynced: median(pairs.map { $0.journal / $0.rawSynced }), bytes: total, pairs: pairs)
  }

  /// Bytes a second from the first claim until the reader has the last event.
  private func saturate(_ topic: MeasuredTopic, events: Int, bytes: Int) throws -> Double {
    let arrivals = try Arrivals(of: topic.ring, expecting: events)
    let start = Machine.monotonicNanoseconds
    for index in 0..<events {
      if index % 64 == 0 { try interrupt() }
      try topic.deliverUntimed(from: start)
    }
    let end = try arrivals.finish(timeout: Self.patience).lastArrival
    return Double(bytes) * 1e9 / Double(end - start)
  }
}
