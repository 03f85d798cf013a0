import Foundation
import TestSupport
import Testing

@testable import Fabric

/// Each rule of Fabric.md against a real server, and what notices when it is taken away.
@Suite(.enabled(if: FabricServer.isAvailable, "no nats-server: Tools/fabric gets it"))
struct FabricRulesTests {
  private let server: FabricServer
  private let connection: FabricConnection
  private let edge = Edge()

  init() throws {
    server = try FabricServer()
    connection = try FabricConnection(try FabricAddress(server.address), name: "test", patience: .seconds(5))
  }

  /// Rules without one of them.
  private func without(_ rule: WritableKeyPath<FabricRules, Bool>, _ isAway: Bool = true) -> FabricRules {
    var rules = FabricRules()
    if isAway { rules[keyPath: rule] = false }
    return rules
  }

  private func lastSequences() throws -> [UInt64] {
    try BandStreams(connection, topic: edge.topic, granules: edge.granules).states().map { $0?.last ?? 0 }
  }

  /// Removes a message from the middle of a stream, as damage of its file does.
  private func lose(_ sequence: UInt64, of granule: Int, _ topic: FabricTopic? = nil) throws {
    let api = try JetStream(connection)
    let answer = try api.ask(
      JetStream.Request(
        subject: "$JS.API.STREAM.MSG.DELETE.\((topic ?? edge.topic).stream(granule))",
        body: Array(#"{"seq":\#(sequence + 1)}"#.utf8), what: "test"))
    #expect(String(decoding: answer, as: UTF8.self).contains("\"success\":true"))
  }

  @Test func `F1: events go up in order, each once for each granule, and the stream's sequence is the event's`() throws
  {
    let publisher = try edge.publisher(connection)
    #expect(try publish(publisher, edge))
    #expect(try lastSequences() == [20, 20, 20])
    #expect(publisher.counts.messages == 60 && publisher.counts.resyncs == 0 && publisher.counts.refused == 0)
    try expectRead(try edge.reader(connection, 0..<3), edge, 0..<3)
    #expect(try publisher.check() == [])
  }

  @Test(arguments: [false, true])
  func `F2: a publisher that was taken for dead publishes nothing twice`(isAway: Bool) throws {
    let old = try edge.publisher(connection, rules: without(\.expectsSequence, isAway))
    try publish(old, edge, through: 5)
    let new = try edge.publisher(connection)
    try publish(new, edge, through: 12)
    // It does not know that, and goes on where it was.
    _ = try old.publish(edge.event(5))
    for _ in 0..<20 where old.state == .flowing { _ = try old.pump(timeout: .milliseconds(50)) }
    let isRight = try lastSequences() == [12, 12, 12]
    #expect(isRight == !isAway)
    if !isAway { #expect(old.counts.refused > 0 && old.state != .flowing) }
  }

  @Test(arguments: [false, true])
  func `F3: a stream that was lost is filled again from its first event`(isAway: Bool) throws {
    let publisher = try edge.publisher(connection, rules: without(\.asksStreams, isAway))
    try publish(publisher, edge, through: 10)
    try publisher.streams.remove()
    let isComplete = try publish(publisher, edge, within: .seconds(isAway ? 4 : 30))
    let isRight = try isComplete && lastSequences() == [20, 20, 20]
    #expect(isRight == !isAway)
    guard !isAway else { return }
    #expect(publisher.counts.refilled > 0)
    try expectRead(try edge.reader(connection, 1..<3), edge, 1..<3)
  }

  /// Publishes what is none of the edge's.
  private func disturb(_ granule: Int) {
    #expect(connection.publish(edge.topic.subject(granule), [1, 2, 3]))
    connection.flush()
    usleep(100_000)
  }

  @Test(arguments: [false, true])
  func `F3: what somebody else published is not taken for what a life before did`(isAway: Bool) throws {
    try publish(try edge.publisher(connection), edge, through: 5)
    disturb(1)
    let publisher = try edge.publisher(connection, rules: without(\.comparesStreams, isAway))
    try publish(publisher, edge)
    let wrong = try read(try edge.reader(connection, 0..<3), edge, 0..<3, within: .seconds(isAway ? 4 : 30))
    #expect((wrong == nil) == !isAway, "\(wrong ?? "")")
    #expect(publisher.counts.replaced == (isAway ? 0 : 1))
  }

  @Test func `F3: what somebody else published between two messages under way is found`() throws {
    let publisher = try edge.publisher(connection)
    try publish(publisher, edge, through: 5)
    disturb(1)
    // The first of these is refused, and those behind it fit.
    for sequence in 5..<9 as Range<UInt64> { _ = try publisher.publish(edge.event(sequence)) }
    try publish(publisher, edge)
    #expect(publisher.counts.replaced == 1 && publisher.counts.refused > 0)
    try expectRead(try edge.reader(connection, 0..<3), edge, 0..<3)
    #expect(try publisher.check() == [])
  }

  @Test(arguments: [false, true])
  func `F4: a hole in the middle, and one at the end, come from the edge`(isAway: Bool) throws {
    try publish(try edge.publisher(connection), edge)
    try lose(7, of: 1)
    try lose(8, of: 1)
    try lose(19, of: 0)
    let reader = try edge.reader(connection, 0..<3, rules: without(\.fillsHoles, isAway))
    let service = try edge.replayService(connection)
    let wrong = try read(reader, edge, 0..<3, service: service, within: .seconds(isAway ? 4 : 30))
    #expect((wrong == nil) == !isAway, "\(wrong ?? "")")
    if !isAway { #expect(reader.counts.replayed == 3 && service.served == 3) }
  }

  @Test(arguments: [false, true])
  func `F12: an image says how far apart updates are, also from the edge, and another pace is somebody else's`(
    packs: Bool
  ) throws {
    let edge = Edge(events: 20, bits: 3)
    edge.interval = { UInt16($0 % 3) }
    let publisher = try edge.publisher(connection)
    publisher.packs = packs
    try publish(publisher, edge, through: 15)
    try lose(7, of: 1, edge.topic)
    try lose(8, of: 1, edge.topic)
    let service = try edge.replayService(connection)
    service.packs = packs
    try expectRead(try edge.reader(connection, 0..<3), edge, 0..<3, through: 15, service: service)
    #expect(service.served == 2)
    // Whoever comes after has the same orders; what says something else is not of this edge.
    edge.interval = { UInt16($0 % 3 + 1) }
    let other = try edge.publisher(connection)
    other.packs = packs
    try publish(other, edge)
    #expect(other.counts.replaced == 3, "\(other.counts)")
    try expectRead(try edge.reader(connection, 0..<3), edge, 0..<3, service: service)
  }

  @Test func `F12: granules that do not say the same of updates are told from those that do`() throws {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: BandMessage.byteCountMax, alignment: 64)
    defer { buffer.deallocate() }
    _ = try edge.publisher(connection).synchronise()
    for (sequence, intervals) in [(UInt64(0), [2, 2]), (1, [2, 3])] {
      for granule in 0..<2 {
        let bytes = try BandMessage.encode(
          edge.event(sequence), metadata: nil, interval: UInt16(intervals[granule]), granule: granule,
          in: edge.granules, epoch: 1, into: buffer)
        #expect(connection.publish(edge.topic.subject(granule), [UInt8](bytes)))
      }
    }
    connection.flush()
    let reader = try edge.reader(connection, 0..<2)
    let (first, second) = (try reader.next(timeout: .seconds(10)), try reader.next(timeout: .seconds(10)))
    #expect(first?.isAgreed == true && first?.interval == 2 && second?.isAgreed == false)
  }

  @Test func `F4: what comes twice is dropped, and counted`() throws {
    try publish(try edge.publisher(connection), edge)
    let reader = try edge.reader(connection, 0..<1)
    try expectRead(reader, edge, 0..<1, through: 10)
    // The stream is lost and filled again: the node sees its beginning once more.
    let publisher = try edge.publisher(connection)
    _ = try publisher.synchronise()
    try publisher.streams.remove()
    try publish(publisher, edge, through: 15)
    _ = try publisher.synchronise()
    try publish(publisher, edge)
    try expectRead(reader, edge, 0..<1, from: 10)
  }

  @Test(arguments: [false, true])
  func `F5: a damaged band is a hole`(isAway: Bool) throws {
    // Where it compares what streams have, it publishes in place of the damaged message.
    let publisher = try edge.publisher(connection, rules: without(\.comparesStreams))
    try publish(publisher, edge, through: 5)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: BandMessage.byteCountMax, alignment: 64)
    defer { buffer.deallocate() }
    var bytes = [UInt8](
      try BandMessage.encode(edge.event(5), metadata: nil, granule: 0, in: edge.granules, epoch: 1, into: buffer))
    bytes[bytes.count - 1] ^= 1
    #expect(connection.publish(edge.topic.subject(0), bytes))
    connection.flush()
    try publish(publisher, edge)
    let service = try edge.replayService(connection)
    let reader = try edge.reader(connection, 0..<2, rules: without(\.checksBands, isAway))
    let wrong = try read(reader, edge, 0..<2, service: service)
    #expect((wrong == nil) == !isAway, "\(wrong ?? "")")
    if !isAway {
      #expect(reader.counts.damaged == 1 && reader.counts.replayed == 1 && reader.newestFault == .checksum)
    }
  }

  @Test(arguments: [false, true])
  func `F6: a stream with a hole is told`(isAway: Bool) throws {
    let publisher = try edge.publisher(connection, rules: without(\.countsMessages, isAway))
    try publish(publisher, edge)
    try lose(4, of: 2)
    #expect(try publisher.check() == (isAway ? [] : [.holed(stream: edge.topic.stream(2), lost: 1)]))
    #expect(publisher.state == .flowing, "publishing again mends nothing")
  }

  @Test(arguments: [false, true])
  func `F6: a stream that lost its tail after the end is filled again`(isAway: Bool) throws {
    let publisher = try edge.publisher(connection, rules: without(\.noticesRegress, isAway))
    try publish(publisher, edge)
    try publisher.streams.remove()
    try publish(try edge.publisher(connection), edge, through: 3)
    let faults = try publisher.check()
    #expect(faults.contains { if case .shortened = $0 { true } else { false } } == !isAway)
    #expect((publisher.state == .flowing) == isAway)
    guard !isAway else { return }
    _ = try publisher.synchronise()
    #expect(try publish(publisher, edge) && publisher.check() == [])
    #expect(publisher.counts.refilled == 3)
  }

  @Test func `F6: a stream that is gone after the end is made again, and what others published is told`() throws {
    let publisher = try edge.publisher(connection)
    try publish(publisher, edge)
    try publisher.streams.remove()
    #expect(try publisher.check().count == 3 && publisher.state != .flowing)
    #expect(try publish(publisher, edge, through: edge.count) || true)
    _ = try publisher.synchronise()
    try publish(publisher, edge)
    disturb(1)
    // Behind the end it matters to nobody.
    publisher.end = edge.count - 1
    #expect(try publisher.check() == [.trailed(stream: edge.topic.stream(1), more: 1)])
    #expect(publisher.state == .flowing)
    publisher.end = nil
    #expect(try publisher.check() == [.foreign(stream: edge.topic.stream(1), last: 21, published: 20)])
    #expect(publisher.state != .flowing)
  }

  @Test(arguments: [false, true])
  func `F7: a node goes on at its own cursor`(isAway: Bool) throws {
    try publish(try edge.publisher(connection), edge)
    let reader = try edge.reader(connection, 1..<2, next: 8, rules: without(\.startsAtCursor, isAway))
    let wrong = try read(reader, edge, 1..<2, from: 8, within: .seconds(isAway ? 4 : 30))
    #expect((wrong == nil) == !isAway, "\(wrong ?? "")")
    if !isAway { #expect(reader.counts == BandReader.Counts()) }
  }

  @Test(arguments: [false, true])
  func `F10: who fails again waits longer, up to a limit`(isAway: Bool) {
    var backOff = BackOff(seed: 3, rules: without(\.backsOff, isAway))
    let waits = (0..<12).map { _ in backOff.fail() }
    let doubles = zip([100, 200, 400, 800, 1600, 3200, 5000, 5000], waits).allSatisfy { wait, found in
      (Duration.milliseconds(wait / 2)...Duration.milliseconds(wait * 3 / 2)).contains(found)
    }
    #expect(doubles == !isAway)
    #expect(waits.allSatisfy { $0 <= BackOff.longest * 1.5 })
    backOff.succeed()
    if !isAway { #expect(backOff.fail() <= BackOff.first * 1.5) }
  }
}
