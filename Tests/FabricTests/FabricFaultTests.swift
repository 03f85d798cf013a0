import Foundation
import Host
import Rehearsal
import Rings
import TestSupport
import Testing

@testable import Fabric

/// Servers that die, lose and alter what they keep; publishers that fight; messages of all sizes.
@Suite(.enabled(if: FabricServer.isAvailable, "no nats-server: Tools/fabric gets it"))
struct FabricFaultTests {
  private let server: FabricServer
  private let edge = Edge(rows: 12, each: 4, columns: 2000, events: 60)

  init() throws { server = try FabricServer() }

  private func connect(_ patience: Duration = .seconds(5)) throws -> FabricConnection {
    try FabricConnection(try FabricAddress(server.address), name: "test", patience: patience)
  }

  @Test func `A server that is killed while it is written to and read from costs nothing`() throws {
    let publisher = try edge.publisher(try connect())
    let reader = try edge.reader(try connect(), 0..<3)
    let service = try edge.replayService(try connect())
    for end in [20, 40, 60] as [UInt64] {
      try publish(publisher, edge, through: end - 10)
      server.kill()
      try server.start()
      try publish(publisher, edge, through: end)
      try expectRead(reader, edge, 0..<3, from: end - 20, through: end, service: service)
    }
    #expect(publisher.counts.resyncs >= 3 && reader.counts.reopened >= 3)
  }

  /// Closed ones are noticed at once, silent ones by pings that nobody answers.
  @Test(arguments: [LinkState.closed, .silent])
  func `A link that is cut, the edge's or a node's, costs nothing, and others go on`(cut: LinkState) throws {
    let (ours, theirs) = (try LoopbackLink(to: server.port), try LoopbackLink(to: server.port))
    func connect(_ link: LoopbackLink) throws -> FabricConnection {
      try FabricConnection(try FabricAddress("nats://127.0.0.1:\(link.port)"), name: "test", patience: .seconds(5))
    }
    let publisher = try edge.publisher(try connect(ours)), service = try edge.replayService(try self.connect())
    let (away, here) = (try edge.reader(try connect(theirs), 0..<2), try edge.reader(try self.connect(), 2..<3))
    try publish(publisher, edge, through: 20)
    try expectRead(away, edge, 0..<2, through: 15, service: service)
    theirs.set(cut)
    try publish(publisher, edge, through: 40)
    try expectRead(here, edge, 2..<3, through: 40, service: service)
    ours.set(cut)
    #expect(try !publish(publisher, edge, through: 50, within: .milliseconds(300)))
    for link in [ours, theirs] { link.set(.free) }
    try publish(publisher, edge)
    try expectRead(away, edge, 0..<2, from: 15, service: service)
    try expectRead(here, edge, 2..<3, from: 40, service: service)
    #expect(publisher.counts.resyncs >= 1 && publisher.counts.replaced == 0)
  }

  @Test func `What was under way when a link broke is read from the stream again, as the edge may be gone`() throws {
    let link = try LoopbackLink(to: server.port)
    let address = try FabricAddress("nats://127.0.0.1:\(link.port)")
    let connection = try FabricConnection(address, name: "test", patience: .seconds(5))
    let publisher = try edge.publisher(try connect()), reader = try edge.reader(connection, 0..<2)
    try publish(publisher, edge, through: 20)
    try expectRead(reader, edge, 0..<2, through: 15)
    link.set(.silent)
    try publish(publisher, edge, through: 30)
    link.set(.free)
    try publish(publisher, edge)
    try expectRead(reader, edge, 0..<2, from: 15)
  }

  @Test func `On a slow link a lease is renewed in time beside what is published, and nothing is sent twice`() throws {
    let link = try LoopbackLink(to: server.port)
    let address = try FabricAddress("nats://127.0.0.1:\(link.port)")
    let connection = try FabricConnection(address, name: "test", patience: .seconds(5))
    let publisher = try edge.publisher(connection), lifetime = Duration.seconds(6)
    let store = try FabricStore(connection, leasesOf: .random())
    try store.make(lifetime: lifetime)
    let lease = try #require(
      try FabricLease.take(
        FabricNames.lease(0), in: store, LeaseRecord(node: "a", holder: nil), lifetime: lifetime, rules: FabricRules()))
    _ = try publisher.synchronise()
    link.set(.limited(bytesPerSecond: 400_000))
    var renewed = ContinuousClock.now
    while publisher.published < edge.count - 1 {
      try #require(try publisher.publish(edge.told(publisher.published)) == .flowing)
      guard ContinuousClock.now - renewed > .milliseconds(300) else { continue }
      try lease.renew()
      renewed = .now
    }
    try #require(try publish(publisher, edge))
    // All of it takes more than seven seconds: longer than the lease lives, were it under way at once.
    #expect(!lease.isLost && publisher.counts.resyncs == 0)
  }

  @Test func `Streams of a server that stays away are made anew on others, and filled again`() throws {
    let servers = try FabricServer.cluster()
    let address = try FabricAddress("nats://" + servers.map { "127.0.0.1:\($0.port)" }.joined(separator: ","))
    let connection = try FabricConnection(address, name: "test", patience: .seconds(10))
    let silence = StreamSilence(limit: .seconds(1))
    let publisher = try edge.publisher(connection, silence: silence)
    try #require(try publish(publisher, edge, through: 30))
    // What says whether servers answer otherwise.
    try FabricStore(connection, run: edge.topic.identity.runID).make()
    let reader = try edge.reader(try FabricConnection(address, name: "test", patience: .seconds(10)), 0..<3)
    try expectRead(reader, edge, 0..<3, through: 25)
    let state = try JetStream(connection).ask(
      JetStream.Request(subject: "$JS.API.STREAM.INFO.\(edge.topic.stream(0))", what: "test"))
    let text = String(decoding: state, as: UTF8.self)
    let holder = try #require(servers.first { text.contains("\"leader\":\"test-\($0.port)\"") }, "\(text)")
    holder.kill()
    try #require(try publish(publisher, edge, within: .seconds(60)))
    #expect(silence.takeWords()?.contains(edge.topic.stream(0)) == true && silence.takeWords() == nil)
    let service = try edge.replayService(connection)
    try expectRead(reader, edge, 0..<3, from: 25, service: service)
    // What it still has of them when it is back is nobody's any more.
    try holder.start()
    try expectRead(try edge.reader(connection, 0..<3), edge, 0..<3, service: service)
    // For a moment it may say that it has them, before it hears of the others.
    for _ in 0..<100 {
      guard faults(publisher) != [] else { return }
      usleep(100_000)
    }
    Issue.record("\(faults(publisher))")
  }

  @Test func `A server that loses its disk is filled again, and nodes go on where they were`() throws {
    let publisher = try edge.publisher(try connect())
    let reader = try edge.reader(try connect(), 0..<2)
    try publish(publisher, edge, through: 30)
    try expectRead(reader, edge, 0..<2, through: 25)
    server.kill()
    try server.wipe()
    try server.start()
    #expect(try publish(publisher, edge))
    #expect(publisher.counts.refilled == 3 && publisher.counts.messages >= 270)
    try expectRead(reader, edge, 0..<2, from: 25)
    try expectRead(try edge.reader(try connect(), 2..<3), edge, 2..<3)
  }

  /// What a check finds as soon as the server answers.
  private func faults(_ publisher: BandPublisher) -> [BandPublisher.StreamFault] {
    for _ in 0..<200 {
      do {
        if publisher.state != .flowing { _ = try publisher.synchronise() }
        return try publisher.check()
      } catch {
        usleep(50_000)
      }
    }
    Issue.record("nobody says how the streams are")
    return []
  }

  @Test(arguments: [1, 2] as [UInt64])
  func `A bit that flips in the middle of a stream is found, told, and read from the edge`(seed: UInt64) throws {
    let edge = Edge(rows: 4, each: 4, columns: 6000, events: 300)
    let publisher = try edge.publisher(try connect())
    try publish(publisher, edge)
    try #require(try server.blocks(of: edge.topic.stream(0)).count > 1)
    server.kill()
    try server.flipBit(in: edge.topic.stream(0), seed: seed)
    try server.start()
    let found = faults(publisher)
    #expect(found.contains { if case .holed = $0 { true } else { false } }, "seed \(seed): \(found)")
    let service = try edge.replayService(try connect()), reader = try edge.reader(try connect(), 0..<1)
    try expectRead(reader, edge, 0..<1, service: service)
    #expect(reader.counts.replayed > 0)
  }

  @Test func `A bit that flips in a stream's only file costs its tail, which is published again`() throws {
    let publisher = try edge.publisher(try connect())
    try publish(publisher, edge)
    server.kill()
    try server.flipBit(in: edge.topic.stream(1), seed: 1)
    try server.start()
    _ = faults(publisher)
    #expect(try publish(publisher, edge))
    #expect(publisher.counts.refilled == 1)
    try expectRead(try edge.reader(try connect(), 1..<2), edge, 1..<2, service: edge.replayService(connect()))
  }

  @Test func `A stream whose newest messages are gone is filled again`() throws {
    let publisher = try edge.publisher(try connect())
    try publish(publisher, edge)
    server.kill()
    let path = try #require(try server.blocks(of: edge.topic.stream(0)).last)
    let byteCount = try Data(contentsOf: URL(filePath: path)).count
    #expect(truncate(path, off_t(byteCount * 2 / 3)) == 0)
    try server.start()
    var tries = 0
    repeat {
      tries += 1
      if publisher.state != .flowing { _ = try? publisher.synchronise() }
      _ = try? publisher.check()
      usleep(50_000)
    } while publisher.counts.refilled == 0 && tries < 200
    #expect(try publish(publisher, edge))
    #expect(publisher.counts.refilled == 1)
    try expectRead(try edge.reader(try connect(), 0..<3), edge, 0..<3, service: edge.replayService(connect()))
  }

  @Test func `Two publishers at once refuse each other, and the streams are right`() throws {
    let (first, second) = (try edge.publisher(try connect()), try edge.publisher(try connect()))
    var turns = 0
    while min(first.acknowledged, second.acknowledged) < edge.count, turns < 2000 {
      turns += 1
      for publisher in [first, second] where publisher.acknowledged < edge.count {
        if publisher.state != .flowing { _ = try publisher.synchronise() }
        if publisher.published < edge.count { _ = try publisher.publish(edge.event(publisher.published)) }
        _ = try publisher.pump(timeout: .milliseconds(1))
      }
    }
    #expect(min(first.acknowledged, second.acknowledged) == edge.count)
    #expect(first.counts.refused + second.counts.refused > 0)
    try expectRead(try edge.reader(try connect(), 0..<3), edge, 0..<3)
    #expect(try first.check() == [])
  }

  @Test func `A request is answered in parts, so that who asks for much does not hold others up`() throws {
    let publisher = try edge.publisher(try connect())
    _ = try publisher.synchronise()
    try publisher.streams.remove()
    let connection = try connect(), service = try edge.replayService(connection)
    let inbox = try FabricInbox(connection, subject: "_INBOX.a.r.0.1")
    let request = [0, 60].flatMap { word in withUnsafeBytes(of: UInt64(word).littleEndian, Array.init) }
    #expect(connection.publish(edge.topic.replay(0), reply: "_INBOX.a.r.0.1", request))
    connection.flush()
    #expect(try service.serve(timeout: .seconds(5), byteCountMax: 1) == BandMessage.headByteCount + 40 + 4 * 4000)
    #expect(service.served == 1)
    _ = try service.serve(timeout: .zero, byteCountMax: 5 * 16_000)
    #expect(service.served == 6)
    while let sent = try service.serve(timeout: .zero, byteCountMax: 1 << 20) { #expect(sent <= 2 << 20) }
    #expect(service.served == 60)
    for sequence in 0..<60 as Range<UInt64> {
      let message = try #require(try inbox.next(timeout: .seconds(5)))
      let band = try BandMessage(message.bytes, of: edge.topic, granule: 0, in: edge.granules, owner: message)
      #expect(band.header.sequence == sequence)
    }
  }

  @Test func `Messages up to the largest go through, larger ones are refused`() throws {
    let columns = (BandMessage.byteCountMax - BandMessage.headByteCount - 40) / 2 / 4
    let large = Edge(rows: 12, each: 4, columns: columns, events: 6)
    #expect(large.messageByteCountMax + 40 > BandMessage.byteCountMax - 8)
    #expect(try publish(try large.publisher(try connect()), large))
    try expectRead(try large.reader(try connect(), 0..<3), large, 0..<3)
    let larger = Edge(rows: 12, each: 4, columns: columns + 8, events: 6)
    let publisher = try BandPublisher(
      try connect(), topic: larger.topic, granules: larger.granules, eventsMax: 6,
      messageByteCountMax: 1 << 20 - 8 << 10)
    _ = try publisher.synchronise()
    #expect(throws: FabricError.self) { _ = try publisher.publish(larger.event(0)) }
  }

  @Test func `Streams need room: a server without it says so`() throws {
    let small = try FabricServer("jetstream { max_file: 1MB }")
    let connection = try FabricConnection(try FabricAddress(small.address), name: "test", patience: .seconds(5))
    let error = #expect(throws: FabricError.self) { _ = try edge.publisher(connection).synchronise() }
    guard case .full? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func `Where nobody answers a connection is refused in time, and a server that hangs is noticed`() throws {
    let publisher = try edge.publisher(try connect())
    try publish(publisher, edge, through: 5)
    server.signal(SIGSTOP)
    let start = ContinuousClock.now
    while publisher.state == .flowing, ContinuousClock.now - start < .seconds(20) {
      if publisher.published < 20 { _ = try publisher.publish(edge.event(publisher.published)) }
      _ = try publisher.pump(timeout: .milliseconds(50))
    }
    #expect(publisher.state != .flowing)
    server.signal(SIGCONT)
    #expect(try publish(publisher, edge))
    server.kill()
    let error = #expect(throws: FabricError.self) { _ = try connect(.zero) }
    #expect(error?.exitCode == 69 && error?.description.contains("\n") == false)
  }

  @Test func `Requests to the edge that are none are counted, and answered by nothing`() throws {
    let connection = try connect(), service = try edge.replayService(connection)
    connection.flush()
    let inbox = try FabricInbox(connection)
    let requests: [[UInt8]] = [[], [1], [UInt8](repeating: 255, count: 16), [UInt8](repeating: 0, count: 16)]
    for request in requests {
      #expect(connection.publish(edge.topic.replay(0), reply: inbox.prefix + ".r.0.0", request))
    }
    let valid = [UInt8](repeating: 0, count: 8) + [UInt8](repeating: 255, count: 8)
    #expect(connection.publish(edge.topic.replay(99), reply: inbox.prefix + ".r.0.0", valid))
    #expect(connection.publish(edge.topic.replay(1), valid))
    // Where only the edge may publish, nobody makes it publish.
    for reply in [edge.topic.subject(1), "$KV.slipring-1.plan", inbox.prefix + ".x", "_INBOX.>.r.0.0"] {
      #expect(connection.publish(edge.topic.replay(1), reply: reply, valid))
    }
    for _ in 0..<10 { #expect(try service.serve(timeout: .seconds(2)) != nil) }
    #expect(service.malformed == 10 && service.served == 0)
    // The last numbers that there are: no event has them.
    let last = (UInt64.max - 1).littleEndian, end = UInt64.max.littleEndian
    let ends = withUnsafeBytes(of: last) { [UInt8]($0) } + withUnsafeBytes(of: end) { [UInt8]($0) }
    #expect(connection.publish(edge.topic.replay(1), reply: inbox.prefix + ".r.0.0", ends))
    #expect(try service.serve(timeout: .seconds(2)) != nil)
    #expect(service.malformed == 10 && service.served == 0)
    #expect(connection.publish(edge.topic.replay(1), reply: inbox.prefix + ".r.0.0", valid))
    #expect(try service.serve(timeout: .seconds(2)) != nil)
    #expect(service.served == min(edge.count, ReplayService.eventsMax))
  }
}
