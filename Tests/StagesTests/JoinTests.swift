import Host
import Rings
import RunModel
import TestSupport
import Testing
import Topics

@testable import Stages

/// Views of topics that a test writes, whose lanes are given up at any time, as by a process that was killed.
@Suite struct JoinTests {
  /// A durable topic with its ring and its journal.
  private final class Stream {
    let topic: Topic
    let (ring, folder): (Ring, TestFolder)
    private(set) var writer: TopicWriter?

    init(_ topic: Topic, runID: RunID, payload: Int = 0) throws {
      self.topic = topic
      folder = try TestFolder()
      ring = try Ring.create(
        name: RegionNames(runID: runID).ring(topic),
        specification: RingSpecification(
          runID: runID, topic: topic.id, partition: UInt32(topic.partition), slotCount: 16, payloadCapacity: payload,
          requiredReaders: 0))
      try restart()
    }

    deinit { try? Ring.unlink(name: ring.name) }

    /// Another writer, after the last one was given up.
    func restart() throws {
      writer = nil
      writer = try TopicWriter(ring: ring, folder: folder.path)
    }

    func follower() throws -> TopicFollower { try TopicFollower(ring, folder: folder.path) }

    func append(_ kind: EventKind, theta: Double = 0, number: UInt64 = 0, _ update: UpdateEvent? = nil) throws {
      let writer = try #require(writer), claim = try writer.claim(timeout: .seconds(30))
      let used = update?.encode(into: claim.metadata) ?? 0
      try writer.commit(
        claim, EventFields(kind: kind, metadataByteCount: used, theta: theta, projection: number))
    }
  }

  private let runID = RunID.random()

  private func update(_ index: Int, _ projections: Range<Int>, rows: Range<Int>) -> UpdateEvent {
    UpdateEvent(
      phase: .window, index: index, iterations: 1, cursor: 0, generation: UInt64(index + 1), projections: projections,
      rows: rows, residualSquared: 0, dataSquared: 1, duration: 0, pixels: PixelCounts())
  }

  /// The items of a view that was written, each checked to have its number.
  private func items(_ view: Stream) throws -> (items: [[ViewEvent.Pointer]], last: ViewEvent) {
    try view.writer?.flush()
    let follower = try view.follower()
    var (items, last) = ([[ViewEvent.Pointer]](), ViewEvent())
    for sequence in 0..<follower.published {
      last = try ViewEvent(decoding: follower.event(at: sequence).metadata)
      #expect(last.firstItem == UInt64(items.count))
      items += last.items
    }
    return (items, last)
  }

  private func lane(
    _ record: String, _ view: Stream, _ join: @escaping (ViewEvent) throws -> any ViewJoin
  ) throws -> JoinLane {
    try view.restart()
    return try JoinLane(
      ViewRecord(parsing: record), writer: try #require(view.writer), copies: [:],
      claim: { try $0.claim(timeout: .seconds(30)) }, makeJoin: join)
  }

  /// Has `feed` write its events while the lane works and is given up at random times; then works to the end.
  private func run(
    _ record: String, seed: UInt64, view: Stream, sources: [Stream], feed: (_ random: inout SplitMix64) throws -> Bool,
    _ join: @escaping (ViewEvent) throws -> any ViewJoin
  ) throws -> (items: [[ViewEvent.Pointer]], last: ViewEvent) {
    var (random, kills) = (SplitMix64(seed: seed), 0)
    var lane: JoinLane? = try lane(record, view, join)
    while try feed(&random) {
      if random.next() % 3 == 0 { _ = try lane?.turn() }
      if random.next() % 20 == 0 {
        // The last one lets go of the journal first.
        lane = nil
        lane = try self.lane(record, view, join)
        kills += 1
      }
    }
    for source in sources { try source.writer?.flush() }
    for _ in 0..<1000 where try lane?.turn() == true {}
    #expect(kills > 10, "seed \(seed)")
    return try items(view)
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func `Every event of both sides is in one item, in order, whenever the stage dies`(seed: UInt64) throws {
    let images = try Stream(.projections, runID: runID), scores = try Stream(.scores, runID: runID)
    let view = try Stream(.view(0), runID: runID)
    var left = 600
    let found = try run(
      "a,from=projections:2,with=scores:3,match=order", seed: seed, view: view, sources: [images, scores],
      feed: { random in
        left -= 1
        if left == 0 { try images.append(.end) }
        if left > 0, random.next() % 7 == 0 { try images.append(.flat) }
        if left > 0 { random.next() % 2 == 0 ? try images.append(.projection) : try scores.append(.score) }
        return left > 0
      },
      { state in
        try OrderJoin(
          [
            (JoinSource(.projections, images.follower(), from: state.cursors.first?.next ?? 0, side: .from), 2),
            (JoinSource(.scores, scores.follower(), from: state.cursors.last?.next ?? 0, side: .with), 3),
          ], after: state)
      })
    var expected: [[UInt64]] = [[], []]
    for (place, (stream, kind)) in [(images, EventKind.projection), (scores, .score)].enumerated() {
      let follower = try stream.follower()
      expected[place] = try (0..<follower.published).filter { try follower.event(at: $0).header.kind == kind }
    }
    let count = min(expected[0].count / 2, expected[1].count / 3)
    #expect(found.items.count == count && count > 30, "seed \(seed)")
    for (place, side) in [ViewEvent.Side.from, .with].enumerated() {
      let used = found.items.joined().filter { $0.side == side }.flatMap {
        $0.sequence..<$0.sequence + UInt64($0.count)
      }
      #expect(used == Array(expected[place].prefix(used.count)) && used.count == count * (place + 2), "seed \(seed)")
    }
  }

  @Test(arguments: [4, 5] as [UInt64])
  func `An update comes once with the projections of its window, of each worker in order`(seed: UInt64) throws {
    let images = try Stream(.projections, runID: runID), view = try Stream(.view(0), runID: runID)
    let workers = try (0..<2).map { try Stream(.updates(partition: $0), runID: runID) }
    var (count, made) = (0, [0, 0])
    let found = try run(
      "a,from=projections,with=updates,match=window", seed: seed, view: view, sources: workers + [images],
      feed: { random in
        if random.next() % 9 == 0 { try images.append(.dark) }
        try images.append(.projection, number: UInt64(count))
        count += 1
        // One of the workers may be far behind the other.
        for worker in 0..<2 where random.next() % UInt64(worker + 2) == 0 && made[worker] + 5 <= count {
          let window = made[worker]..<made[worker] + 5
          try images.writer?.flush()
          try workers[worker].append(.update, update(made[worker], window, rows: worker * 8..<worker * 8 + 8))
          made[worker] += 1
        }
        if count == 400 { for stream in workers + [images] { try stream.append(.end) } }
        return count < 400
      },
      { state in
        try WindowJoin(updates: workers.map(\.topic), images: .projections, after: state) { topic, next, side in
          let stream = topic == .projections ? images : workers[topic.partition]
          return JoinSource(topic, try stream.follower(), from: next, side: side)
        }
      })
    #expect(found.items.count == made[0] + made[1] && found.last.dropped == 0, "seed \(seed)")
    let follower = try images.follower()
    var next: [UInt64] = [0, 0]
    for item in found.items {
      let update = try #require(item.last)
      #expect(update.sequence == next[Int(update.partition)] && update.rows.count == 8)
      next[Int(update.partition)] += 1
      let numbers = try item.dropLast().flatMap { $0.sequence..<$0.sequence + UInt64($0.count) }.map {
        try follower.event(at: $0).header
      }
      #expect(numbers.map(\.projection) == (0..<5).map { update.sequence + $0 } && numbers[0].kind == .projection)
    }
  }

  @Test(arguments: [6, 7] as [UInt64])
  func `A projection has its mirror in one item, in any order of angles`(seed: UInt64) throws {
    let images = try Stream(.projections, runID: runID), view = try Stream(.view(0), runID: runID)
    var random = SplitMix64(seed: seed), degrees = (0..<360).map { Double($0) + 0.04 * Double($0 % 3) }
    degrees.shuffle(using: &random)
    let found = try run(
      "a,from=projections,match=theta:180±0.1", seed: seed, view: view, sources: [images],
      feed: { _ in
        guard let next = degrees.popLast() else {
          try images.append(.end)
          return false
        }
        try images.append(.projection, theta: next * .pi / 180)
        return true
      },
      {
        AngleJoin(
          JoinSource(.projections, try images.follower(), from: 0, side: .from), degrees: 180, tolerance: 0.1, after: $0
        )
      })
    let used = found.items.joined().map(\.sequence), follower = try images.follower()
    #expect(found.items.count == 180 && Set(used).count == 360, "seed \(seed)")
    for item in found.items {
      let thetas = try item.map { try follower.event(at: $0.sequence).header.theta * 180 / .pi }
      #expect(abs(abs(thetas[1] - thetas[0]) - 180) <= 0.1001 && item[0].sequence < item[1].sequence)
    }
    let order = found.items.map { $0[1].sequence }
    #expect(order == order.sorted())
  }
}
