/// What `bench event` measured.
public struct EventReport: Codable, Sendable {
  /// Events of one payload size.
  public struct Payload: Codable, Sendable {
    /// Bytes of payload.
    public var payloadBytes: Int
    /// Bytes of the record: header page and padded payload.
    public var recordBytes: Int
    /// Slots of the ring.
    public var slots: Int
    /// The load of the latencies.
    public var load: Load
    /// Claim and commit of the durable topic, the payload's checksum included, filling the payload not.
    public var enqueue: Latency
    /// From when the event was due, before its claim, to a reader's `next` in another thread, filling the payload included: a memory topic.
    public var visible: Latency
    /// The same of a durable topic, whose events are visible when they are durable.
    public var durable: Latency
    /// How fast the journal and the device are.
    public var throughput: Throughput
  }

  /// How latencies were loaded.
  public struct Load: Codable, Sendable {
    /// What the next field's rate is: `paced`.
    public var kind: String
    /// Events a second, at even intervals.
    public var eventsPerSecond: Double
    /// Of the throughput that was measured before.
    public var fractionOfThroughput: Double
  }

  /// Saturated: a topic whose writer never pauses, alternating with the device alone.
  public struct Throughput: Codable, Sendable {
    /// Median megabytes (10⁶) of records a second that became durable and were read.
    public var journal: Double
    /// The same in bytes of payload.
    public var payload: Double
    /// The device alone, O_DIRECT, one sync after all.
    public var raw: Double
    /// The device alone with a sync for each batch, as the journal has.
    public var rawSynced: Double
    /// Median of journal / raw of each pair.
    public var ratio: Double
    /// Median of journal / rawSynced of each pair.
    public var ratioToSynced: Double
    /// Bytes of each single measurement.
    public var bytes: Int
    /// The single measurements, in their order.
    public var pairs: [Pair]
  }

  /// Megabytes (10⁶) a second, measured one after the other.
  public struct Pair: Codable, Sendable {
    /// Through the topic.
    public var journal: Double
    /// The device alone, one sync after all.
    public var raw: Double
    /// The device alone, one sync a batch.
    public var rawSynced: Double
  }

  /// Events that are only metadata.
  public struct Small: Codable, Sendable {
    /// Bytes of metadata.
    public var metadataBytes: Int
    /// A memory topic.
    public var memory: Enqueue
    /// A durable topic.
    public var durable: Enqueue
  }

  /// Claim and commit, in bursts that the ring has room for.
  public struct Enqueue: Codable, Sendable {
    /// Each event alone, with one reading of the clock in it.
    public var timed: Latency
    /// Nanoseconds an event in bursts that were timed as a whole; the median of them.
    public var inBurst: Double
    /// Events of a burst.
    public var burst: Int
  }

  /// `release`, or `debug`, whose figures are not the product's.
  public var build: String
  /// What the journal wrote with.
  public var mechanism: String
  /// The processor's name.
  public var processor: String
  /// Cores that this process may use.
  public var cores: Int
  /// One reading of the clock after another: part of every single duration here, and not subtracted.
  public var clock: Latency
  /// Small events.
  public var small: Small
  /// One entry for each payload that was asked for.
  public var payloads: [Payload]
}
