import Glibc
import Host
import Rings
import Testing

@testable import Fabric

/// What the edge of a scan has: a dark, a flat, projections and the end, with pixels that sequence and row decide.
final class Edge {
  let topic: FabricTopic
  let granules: Granules
  let columns: Int
  /// Events with the end.
  let count: UInt64
  /// How far apart updates are from an image on.
  var interval: (UInt64) -> UInt16 = { _ in 0 }
  /// Bits of a pixel that are noise; the others are 0.
  private let bits: UInt64
  private let payload: UnsafeMutableRawBufferPointer
  private let metadata: UnsafeMutableRawBufferPointer

  init(
    rows: Int = 12, each: Int = 4, columns: Int = 64, events: UInt64 = 20, bits: UInt64 = 16,
    run: RunID = .random()
  ) {
    topic = FabricTopic(run: run, id: 1, word: "projections")
    granules = Granules(rows: rows, each: each)
    (self.columns, count, self.bits) = (columns, events, bits)
    payload = .allocate(byteCount: rows * columns * 2, alignment: 64)
    metadata = .allocate(byteCount: 40, alignment: 8)
  }

  deinit {
    payload.deallocate()
    metadata.deallocate()
  }

  /// An event; valid until the next call.
  func event(_ sequence: UInt64) -> Event {
    precondition(sequence < count)
    let isEnd = sequence == count - 1
    let kind: EventKind = isEnd ? .end : sequence == 0 ? .dark : sequence == 1 ? .flat : .projection
    for index in metadata.indices { metadata[index] = UInt8(truncatingIfNeeded: index &+ Int(sequence)) }
    if !isEnd { fill(payload, sequence) }
    let header = EventHeader(
      kind: kind, identity: topic.identity, sequence: sequence, epoch: 1, acquiredAt: 1000 + sequence,
      payloadByteCount: isEnd ? 0 : payload.count, metadataByteCount: metadata.count, payloadCRC32C: 7,
      theta: Double(sequence) * 0.01, projection: sequence, rows: isEnd ? 0 : UInt32(granules.rows),
      columns: isEnd ? 0 : UInt32(columns), pixel: isEnd ? nil : .uint16)
    return Event(
      header: header, metadata: UnsafeRawBufferPointer(metadata),
      payload: isEnd ? UnsafeRawBufferPointer(start: nil, count: 0) : UnsafeRawBufferPointer(payload))
  }

  /// An event as an uplink hands it out.
  func told(_ sequence: UInt64) -> EdgeEvent {
    EdgeEvent(event(sequence), interval: sequence == count - 1 ? 0 : interval(sequence))
  }

  private func fill(_ bytes: UnsafeMutableRawBufferPointer, _ sequence: UInt64) {
    var random = SplitMix64(seed: sequence &+ 1)
    let mask: UInt64 = ((1 << bits) - 1) * 0x0001_0001_0001_0001
    for index in 0..<bytes.count / 8 {
      bytes.storeBytes(of: random.next() & mask, toByteOffset: 8 * index, as: UInt64.self)
    }
  }

  /// The bytes of some rows of an event.
  func rows(_ rows: Range<Int>, of sequence: UInt64) -> [UInt8] {
    let event = event(sequence)
    return event.payload.isEmpty
      ? [] : [UInt8](event.payload[rows.lowerBound * columns * 2..<rows.upperBound * columns * 2])
  }

  var messageByteCountMax: Int { BandMessage.headByteCount + granules[0].count * columns * 2 }

  func publisher(
    _ connection: FabricConnection, silence: StreamSilence = StreamSilence(), rules: FabricRules = FabricRules()
  ) throws -> BandPublisher {
    try BandPublisher(
      connection, topic: topic, granules: granules, eventsMax: count, messageByteCountMax: messageByteCountMax,
      silence: silence, rules: rules)
  }

  func reader(
    _ connection: FabricConnection, _ taking: Range<Int>, next: UInt64 = 0, rules: FabricRules = FabricRules()
  ) throws -> BandReader {
    try BandReader(connection, topic: topic, granules: granules, taking: taking, next: next, rules: rules)
  }

  func replayService(_ connection: FabricConnection) throws -> ReplayService {
    try ReplayService(connection, topic: topic, granules: granules) { sequence, _ in
      sequence < self.count ? self.told(sequence) : nil
    }
  }
}

extension BandPublisher {
  /// Publishes an event as it is.
  func publish(_ event: Event, taken: () throws -> Void = {}) throws -> State {
    try publish(EdgeEvent(event), taken: taken)
  }
}

extension BandStreams {
  /// Removes all of them.
  func remove() throws(FabricError) { try remove(Array(0..<granules.count)) }
}

/// Publishes until events below `end` are acknowledged, as an uplink does; false where that takes longer than `limit`.
@discardableResult
func publish(
  _ publisher: BandPublisher, _ edge: Edge, through end: UInt64? = nil, within limit: Duration = .seconds(30)
) throws -> Bool {
  let end = end ?? edge.count, start = ContinuousClock.now
  var backOff = BackOff(seed: 1)
  while publisher.acknowledged < end {
    guard ContinuousClock.now - start < limit else { return false }
    if case .interrupted = publisher.state {
      do {
        _ = try publisher.synchronise()
        try publisher.compare(below: edge.count) { edge.told($0) }
        backOff.succeed()
      } catch let error as FabricError {
        switch error {
        case .unreachable, .timedOut, .missing: sleep(backOff.fail())
        default: throw error
        }
      }
      continue
    }
    if publisher.published < end {
      _ = try publisher.publish(edge.told(publisher.published))
    } else {
      _ = try publisher.pump(timeout: .milliseconds(10))
    }
  }
  return true
}

func sleep(_ duration: Duration) {
  if duration > .zero { usleep(UInt32(duration / .microseconds(1))) }
}

/// Reads events until `end`, and answers replays of `service` meanwhile: what is wrong with what came, nil for nothing.
func read(
  _ reader: BandReader, _ edge: Edge, _ taking: Range<Int>, from first: UInt64 = 0, through end: UInt64? = nil,
  service: ReplayService? = nil, within limit: Duration = .seconds(30)
) throws -> String? {
  let end = end ?? edge.count, start = ContinuousClock.now
  let rows = edge.granules.rows(of: taking)
  var next = first
  while next < end {
    guard ContinuousClock.now - start < limit else { return "nothing came for event \(next)" }
    try service?.serve(timeout: .zero)
    guard let bands = try reader.next(timeout: .milliseconds(5)) else { continue }
    guard bands.header.sequence == next else { return "event \(bands.header.sequence) in place of \(next)" }
    let bytes = [UInt8](unsafeUninitializedCapacity: bands.byteCount) { buffer, count in
      bands.copy(
        into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<bands.byteCount]))
      count = bands.byteCount
    }
    let event = edge.event(next)
    guard bands.header == event.header, bands.metadata == [UInt8](event.metadata) else {
      return "the header of event \(next) is another one"
    }
    guard bands.isAgreed, bands.interval == edge.told(next).interval else {
      return "event \(next) says something else of updates"
    }
    guard bytes == edge.rows(rows, of: next) else { return "the pixels of event \(next) are others" }
    next += 1
  }
  return nil
}

/// Expects the events as the edge has them.
func expectRead(
  _ reader: BandReader, _ edge: Edge, _ taking: Range<Int>, from first: UInt64 = 0, through end: UInt64? = nil,
  service: ReplayService? = nil, at location: SourceLocation = #_sourceLocation
) throws {
  let wrong = try read(reader, edge, taking, from: first, through: end, service: service, within: .seconds(20))
  #expect(wrong == nil, "\(reader.counts), \(String(describing: reader.refusal))", sourceLocation: location)
}
