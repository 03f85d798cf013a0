import Foundation
import Host
import Rings
import RunModel
import TestSupport
import Testing
import Topics

@testable import Fabric
@testable import Stages

/// The edge's end of a fabric, with a topic of its own and a real server.
@Suite(.enabled(if: FabricServer.isAvailable, "no nats-server: Tools/fabric gets it"))
struct UplinkTests {
  private let server: FabricServer
  private var topic: DurableTopic
  private static let (rows, columns, images) = (6, 32, 12)

  init() throws {
    server = try FabricServer()
    topic = try DurableTopic()
  }

  /// A ring of four slots that spills, and its journal.
  private final class DurableTopic {
    let folder: TestFolder
    let ring: Ring
    let runID = RunID.random()
    private var writer: TopicWriter?

    init(_ whenFull: WhenFull = .spill) throws {
      folder = try TestFolder()
      ring = try Ring.create(
        name: RegionNames(runID: runID).ring(.projections),
        specification: RingSpecification(
          runID: runID, topic: Topic.projections.id, slotCount: 4, payloadCapacity: rows * columns * 2,
          requiredReaders: 0, whenFull: whenFull, spillSlotCount: whenFull == .spill ? 4 : 0))
    }

    deinit { try? Ring.unlink(name: ring.name) }

    var follower: TopicFollower { get throws { try TopicFollower(ring, folder: folder.path) } }

    /// Appends the next image, or the end, and waits until it is durable.
    func append(_ number: Int, of images: Int = images) throws {
      let writer = try writer ?? TopicWriter(ring: ring, folder: folder.path)
      self.writer = writer
      if number == images {
        try writer.append(kind: .end, timeout: .seconds(30), EndEvent(reason: .sourceEnded, projections: images).encode)
      } else {
        let claim = try writer.claim(timeout: .seconds(30))
        fill(claim.payload, number)
        try writer.commit(
          claim,
          EventFields(
            kind: .projection, payloadByteCount: rows * columns * 2, projection: UInt64(number), rows: rows,
            columns: columns, pixel: .uint16))
      }
      try writer.flush()
    }
  }

  private static func fill(_ payload: UnsafeMutableRawBufferPointer, _ number: Int) {
    for pixel in 0..<rows * columns {
      payload.storeBytes(
        of: UInt16(truncatingIfNeeded: number * 1000 + pixel), toByteOffset: 2 * pixel, as: UInt16.self)
    }
  }

  private var granules: Granules { Granules(rows: Self.rows, each: 4) }

  private func configuration(
    _ patience: Duration, address: String? = nil, holder: String = "this", policy: UplinkPolicy = .keep,
    images: Int = images
  ) throws -> UplinkConfiguration {
    var configuration = UplinkConfiguration(
      address: try FabricAddress(address ?? server.address), run: topic.runID, images: .projections,
      granules: granules, eventsMax: UInt64(images + 1),
      messageByteCountMax: BandMessage.headByteCount + 4 * Self.columns * 2 + 200,
      plan: [1, 2, 3], look: nil, patience: patience, holder: holder)
    configuration.policy = policy
    return configuration
  }

  /// One life of an uplink, to its end; `turn` is called in each of its turns, and says whether it is to end.
  private func uplink(
    patience: Duration = .seconds(20), address: String? = nil, within limit: Duration = .seconds(30),
    holder: String = "this", policy: UplinkPolicy = .keep, showsPreviews: Bool = false,
    images: Int = images, idleCores: Double? = nil, rules: FabricRules = FabricRules(),
    turn: @escaping (Int) throws -> Bool = { _ in false }
  ) throws -> UplinkReport {
    var (reports, turns): ([UplinkReport], Int) = ([], 0)
    let start = ContinuousClock.now
    let configuration = try configuration(patience, address: address, holder: holder, policy: policy, images: images)
    let uplink = Uplink(
      configuration, images: try topic.follower,
      previews: showsPreviews ? try PreviewThread(configuration, images: topic.follower) : nil,
      stopRequested: {
        turns += 1
        do { return try turn(turns) || ContinuousClock.now - start > limit } catch {
          Issue.record(error)
          return true
        }
      }, didWork: {}, noticed: { _ in },
      write: { report in
        reports.append(report)
        return true
      }, idleCores: { idleCores }, rules: rules)
    try uplink.run()
    return try #require(reports.last)
  }

  /// What a node reads of all granules.
  private func expectWhole(_ images: Int = images) throws {
    let connection = try FabricConnection(try FabricAddress(server.address), name: "test", patience: .seconds(5))
    let reader = try BandReader(
      connection, topic: FabricTopic(run: topic.runID, id: Topic.projections.id, word: "projections"),
      granules: granules, taking: 0..<2, next: 0)
    let (found, wanted) = (
      UnsafeMutableRawBufferPointer.allocate(byteCount: Self.rows * Self.columns * 2, alignment: 64),
      UnsafeMutableRawBufferPointer.allocate(byteCount: Self.rows * Self.columns * 2, alignment: 64)
    )
    defer {
      found.deallocate()
      wanted.deallocate()
    }
    for number in 0...images {
      let bands = try #require(try reader.next(timeout: .seconds(10)))
      #expect(bands.header.sequence == UInt64(number) && (bands.header.kind == .end) == (number == images))
      guard number < images else { break }
      bands.copy(into: found)
      Self.fill(wanted, number)
      #expect(found.elementsEqual(wanted), "image \(number)")
    }
    #expect(reader.counts.replayed == 0 && reader.counts.repeated == 0 && reader.counts.damaged == 0)
    #expect(try FabricStore(connection, run: topic.runID).get(UplinkConfiguration.planKey)?.value == [1, 2, 3])
  }

  @Test(arguments: [true, false])
  func `What somebody removes, or writes over, is there again in the end`(isRemoved: Bool) throws {
    let connection = try FabricConnection(try FabricAddress(server.address), name: "test", patience: .seconds(5))
    var next = 0
    let report = try uplink { _ in
      if next <= Self.images { try topic.append(next) }
      next += 1
      guard next == 6 else { return false }
      if isRemoved {
        #expect(try FabricHolding.remove(topic.runID, connection) == granules.count)
      } else {
        try FabricStore(connection, run: topic.runID).put(UplinkConfiguration.planKey, [9])
      }
      return false
    }
    #expect(report.isComplete)
    try expectWhole()
  }

  @Test(arguments: [false, true])
  func `The newest projections are shown beside, and where that is refused all goes up as well`(
    isRefused: Bool
  ) throws {
    let connection = try FabricConnection(try FabricAddress(server.address), name: "test", patience: .seconds(5))
    if isRefused {
      // Of two streams with a subject in common servers refuse the second.
      let body = #"{"name":"other","subjects":["slipring.\#(topic.runID).preview"]}"#
      _ = try JetStream(connection).ask(
        JetStream.Request(subject: "$JS.API.STREAM.CREATE.other", body: Array(body.utf8), what: "a stream"))
    }
    var next = 0
    let report = try uplink(showsPreviews: true) { _ in
      if next <= Self.images { try topic.append(next) }
      next += 1
      return false
    }
    #expect(report.isComplete)
    try expectWhole()
    let preview = try #require(report.preview)
    #expect(preview.shown + preview.skipped == UInt64(Self.images), "\(preview)")
    let newest = try PreviewStream(connection, run: topic.runID).newest()
    guard !isRefused else {
      #expect(preview.shown == 0 && preview.away?.contains("refused stream") == true && newest == nil, "\(preview)")
      return
    }
    #expect(preview.shown >= 1 && preview.away == nil, "\(preview)")
    #expect(newest?.isLast == true && newest?.skipped == preview.skipped)
    #expect(newest?.projection == UInt64(Self.images) - 1)
    // Who comes again shows nothing twice.
    let again = try #require(try uplink(showsPreviews: true).preview)
    #expect(again.shown == preview.shown && again.skipped == preview.skipped, "\(again)")
  }

  @Test func `Previews that waited for servers when the scan ended are tried once more`() throws {
    server.kill()
    let previews = try PreviewThread(configuration(.seconds(20)), images: topic.follower)
    for image in 0...Self.images { try topic.append(image) }
    // By then it waits longer between two tries than the servers take to start.
    let deadline = Deadline(after: .seconds(2))
    while !deadline.hasPassed { usleep(50_000) }
    #expect(previews.report.away?.contains("does not answer") == true, "\(previews.report)")
    try server.start()
    previews.end(isComplete: true)
    let report = previews.report
    #expect(report.shown == 1 && report.skipped == UInt64(Self.images) - 1 && report.away == nil, "\(report)")
  }

  @Test func `Rows are packed from when the link does not keep up, and nodes read the same`() throws {
    let start = ContinuousClock.now, most = 20_000
    var (next, isOver) = (0, false)
    let report = try uplink(policy: .auto, images: most, idleCores: 2) { _ in
      guard !isOver else { return false }
      isOver = ContinuousClock.now - start > .seconds(6) || next > most - 2
      // Two come for each that goes up.
      for _ in 0..<2 where !isOver {
        try topic.append(next, of: most)
        next += 1
      }
      if isOver { try topic.append(next, of: next) }
      return false
    }
    let packed = try #require(report.packed, "\(report)")
    #expect(report.isComplete && report.isPacking == true && packed > 0 && packed < UInt64(2 * next), "\(report)")
    try expectWhole(next)
  }

  /// What is none of the edge's, in the stream of the last granule.
  private func disturb(_ connection: FabricConnection) {
    let subject = FabricTopic(run: topic.runID, id: Topic.projections.id, word: "projections").subject(1)
    #expect(connection.publish(subject, [1, 2, 3]))
    connection.flush()
  }

  @Test func `What somebody else publishes is replaced, also where a life before did not notice it`() throws {
    let connection = try FabricConnection(try FabricAddress(server.address), name: "test", patience: .seconds(5))
    for number in 0..<6 { try topic.append(number) }
    _ = try uplink { $0 > 30 }
    disturb(connection)
    var next = 6
    let report = try uplink { turn in
      if next <= Self.images { try topic.append(next) }
      next += 1
      if next == 9 { disturb(connection) }
      return false
    }
    #expect(report.isComplete && (1...3).contains(report.replaced) && report.away == nil)
    try expectWhole()
  }

  @Test func `Who publishes again and again is told of, and the uplink gives up`() throws {
    let connection = try FabricConnection(try FabricAddress(server.address), name: "test", patience: .seconds(5))
    for number in 0..<6 { try topic.append(number) }
    _ = try uplink { $0 > 30 }
    let report = try uplink(within: .seconds(100)) { _ in
      disturb(connection)
      return false
    }
    #expect(report.isOver && !report.isComplete && report.away?.contains("give the servers keys") == true, "\(report)")
  }

  @Test func `It publishes a scan while that goes on, and ends when all is acknowledged`() throws {
    var next = 0
    let report = try uplink { _ in
      if next <= Self.images { try topic.append(next) }
      next += 1
      return false
    }
    #expect(report.isComplete && report.isOver && report.acknowledged == 13 && report.away == nil)
    #expect(report.messages == 26 && report.resyncs == 0 && report.faults == [])
    try expectWhole()
  }

  /// The rule is the ring's: taken away, it publishes what no journal has.
  @Test func `What is packed goes up in fewer bytes, and is what a node reads`() throws {
    for number in 0...Self.images { try topic.append(number) }
    let report = try uplink(policy: .compress)
    #expect(report.isComplete && report.packed == UInt64(2 * Self.images), "\(report)")
    #expect(report.words.contains("% fewer bytes"), "\(report.words)")
    try expectWhole()
    // Who comes next and does not pack finds nothing to do.
    #expect(try uplink().bytes == 0)
  }

  @Test(arguments: [false, true]) func `F1: what is not durable does not go up`(isAway: Bool) throws {
    var bench = self
    bench.topic = try DurableTopic(isAway ? .wait : .spill)
    let ring = bench.topic.ring
    let writer = try RingWriter(
      ring: ring, epoch: try ring.grantEpoch(), publishing: isAway ? .atCommit : .whenDurable)
    let claim = try writer.claim(timeout: .zero)
    Self.fill(claim.payload, 0)
    try writer.commit(
      claim,
      EventFields(
        kind: .projection, payloadByteCount: Self.rows * Self.columns * 2, rows: Self.rows, columns: Self.columns,
        pixel: .uint16))
    let before = try bench.uplink { $0 > 50 }
    #expect((before.acknowledged == 0 && before.messages == 0) == !isAway && !before.isComplete)
    guard !isAway else { return }
    writer.publish(through: 1)
    let after = try bench.uplink { $0 > 50 }
    #expect(after.acknowledged == 1 && after.messages == 2)
  }

  @Test func `One that died is followed by another, which publishes nothing twice`() throws {
    for number in 0...Self.images { try topic.append(number) }
    let first = try uplink { $0 > 6 }
    #expect(!first.isComplete)
    let second = try uplink()
    #expect(second.isComplete && second.refused == 0)
    #expect(first.messages + second.messages <= 26)
    // All is there already: it finds the end, and ends.
    let third = try uplink()
    #expect(third.isComplete && third.messages == 0)
    try expectWhole()
  }

  @Test(arguments: [false, true])
  func `F9: a second uplink waits until the first has not renewed its lease`(isAway: Bool) throws {
    for number in 0...Self.images { try topic.append(number) }
    var rules = FabricRules()
    rules.leasesUplink = !isAway
    var (second, third): (UplinkReport?, UplinkReport?)
    let first = try uplink(rules: rules) { turn in
      guard turn == 6 else { return false }
      // The first one does nothing meanwhile, as one that hangs.
      second = try uplink(within: .seconds(2), holder: "other", rules: rules)
      if !isAway { third = try uplink(within: .seconds(20), holder: "other", rules: rules) }
      return false
    }
    #expect(first.isComplete)
    #expect((second?.messages == 0) == !isAway)
    guard !isAway else { return }
    #expect(second?.away?.contains("is held by") == true)
    #expect(third?.isComplete == true && first.messages < 26)
    try expectWhole()
  }

  @Test func `An uplink that ends well leaves the lease to any other one, and one that dies to its successor`() throws {
    for number in 0...Self.images { try topic.append(number) }
    let connection = try FabricConnection(try FabricAddress(server.address), name: "test", patience: .seconds(5))
    let store = try FabricStore(connection, leasesOf: topic.runID)
    try store.make(lifetime: FabricNames.lifetime)
    let dead = LeaseRecord(node: "edge", state: .reading, holder: "this")
    #expect(try FabricLease.take(FabricNames.uplink, in: store, dead) != nil)
    let start = ContinuousClock.now
    #expect(try uplink().isComplete)
    #expect(try uplink(holder: "other").isComplete)
    #expect(ContinuousClock.now - start < FabricNames.lifetime)
    #expect(try store.get(FabricNames.uplink) == nil)
  }

  @Test func `A server that dies in the middle, and one that loses its disk, cost nothing`() throws {
    var next = 0
    let report = try uplink(within: .seconds(60)) { _ in
      if next == 5 || next == 9 {
        server.kill()
        if next == 9 { try server.wipe() }
        try server.start()
      }
      if next <= Self.images { try topic.append(next) }
      next += 1
      return false
    }
    #expect(report.isComplete && report.acknowledged == 13)
    try expectWhole()
  }

  @Test func `A fabric that was never there, and one that refuses, end it in time after the scan`() throws {
    for number in 0...Self.images { try topic.append(number) }
    let away = try uplink(patience: .seconds(1), address: "nats://127.0.0.1:1")
    #expect(away.isOver && !away.isComplete && away.acknowledged == 0 && away.away != nil)
    let refusing = try FabricServer(
      """
      no_auth_user: "anybody"
      authorization { users: [ { user: "anybody", password: "x", permissions {
        publish: ["$JS.API.>", "$KV.>", "_INBOX.>"], subscribe: ">" } } ] }
      """)
    let refused = try uplink(patience: .seconds(4), address: refusing.address, within: .seconds(60))
    #expect(refused.isOver && !refused.isComplete && refused.acknowledged == 0)
    #expect(refused.away?.localizedCaseInsensitiveContains("permissions violation") == true, "\(refused)")
  }
}
