/// What `bench event` measured.
package struct EventReport: Codable, Sendable {
  /// Events of one payload size.
  package struct Payload: Codable, Sendable {
    /// Bytes of payload.
    package var payloadBytes: Int
    /// Bytes of the record: header page and padded payload.
    package var recordBytes: Int
    /// Slots of the ring.
    var slots: Int
    /// The load of the latencies.
    package var load: Load
    /// Claim and commit of the durable topic, the payload's checksum included, filling the payload not.
    package var enqueue: Latency
    /// From when the event was due, before its claim, to a reader's `next` in another thread, filling the payload
    /// included: a memory topic.
    package var visible: Latency
    /// The same of a durable topic, whose events are visible when they are durable.
    package var durable: Latency
    /// How fast the journal and the device are.
    package var throughput: Throughput
  }

  /// How latencies were loaded.
  package struct Load: Codable, Sendable {
    /// What the next field's rate is: `paced`.
    var kind: String
    /// Events a second, at even intervals.
    package var eventsPerSecond: Double
    /// Of the throughput that was measured before.
    package var fractionOfThroughput: Double
  }

  /// Saturated: a topic whose writer never pauses, alternating with the device alone.
  package struct Throughput: Codable, Sendable {
    /// Median megabytes (10⁶) of records a second that became durable and were read.
    package var journal: Double
    /// The same in bytes of payload.
    package var payload: Double
    /// The device alone, O_DIRECT, one sync after all.
    package var raw: Double
    /// The device alone with a sync for each batch, as the journal has.
    package var rawSynced: Double
    /// Median of journal / raw of each pair.
    package var ratio: Double
    /// Median of journal / rawSynced of each pair.
    package var ratioToSynced: Double
    /// Bytes of each single measurement.
    package var bytes: Int
    /// The single measurements, in their order.
    package var pairs: [Pair]
  }

  /// Megabytes (10⁶) a second, measured one after the other.
  package struct Pair: Codable, Sendable {
    /// Through the topic.
    package var journal: Double
    /// The device alone, one sync after all.
    package var raw: Double
    /// The device alone, one sync a batch.
    package var rawSynced: Double
  }

  /// Events that are only metadata.
  package struct Small: Codable, Sendable {
    /// Bytes of metadata.
    var metadataBytes: Int
    /// A memory topic.
    package var memory: Enqueue
    /// A durable topic.
    package var durable: Enqueue
  }

  /// Claim and commit, in bursts that the ring has room for.
  package struct Enqueue: Codable, Sendable {
    /// Each event alone, with one reading of the clock in it.
    package var timed: Latency
    /// Nanoseconds an event in bursts that were timed as a whole; the median of them.
    package var inBurst: Double
    /// Events of a burst.
    package var burst: Int
  }

  /// `release`, or `debug`, whose figures are not the product's.
  package var build: String
  /// What the journal wrote with.
  package var mechanism: String
  /// The processor's name.
  package var processor: String
  /// Cores that this process may use.
  package var cores: Int
  /// One reading of the clock after another: part of every single duration here, and not subtracted.
  package var clock: Latency
  /// Small events.
  package var small: Small
  /// One entry for each payload that was asked for.
  package var payloads: [Payload]
}
