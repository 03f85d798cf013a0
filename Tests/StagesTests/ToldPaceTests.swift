import Host
import Rings
import RunModel
import TestSupport
import Testing
import Tomography
import Topics

@testable import Stages

/// F12: nodes make the updates of their edge, whatever that decides about them.
struct ToldPaceTests {
  private static let (count, rows) = (200, 0..<4)

  private static func configuration(isTold: Bool = false, isSpread: Bool = false) -> DistributeStage.Configuration {
    let windows =
      isSpread
      ? WindowSchedule(newest: 1, spread: AngularSpread(count: 2, projectionsPerHalfTurn: 90), iterations: 1)
      : WindowSchedule(length: 12, step: 2, iterations: 1)
    return .init(rows: [rows], windows: windows, final: .fixed(iterations: 3, subsets: 1), isTold: isTold)
  }

  private static let end: [UInt8] = Array(unsafeUninitializedCapacity: 64) { buffer, used in
    used = EndEvent(reason: .sourceEnded, projections: count - 3).encode(into: UnsafeMutableRawBufferPointer(buffer))
  }

  /// Two flats, then projections with a flat among them, and the end, each with what the edge says of updates; `end`
  /// are the bytes of that.
  private static func event(_ sequence: UInt64, interval: UInt16, _ end: UnsafeRawBufferPointer) -> Event {
    let empty = UnsafeRawBufferPointer(start: nil, count: 0)
    let identity = RingIdentity(runID: RunID(low: 1, high: 2), topic: Topic.projections.id, partition: 0)
    guard sequence < UInt64(count) else {
      var header = EventHeader(kind: .end, identity: identity, sequence: sequence)
      header.metadataByteCount = end.count
      return Event(header: header, metadata: end, payload: empty)
    }
    let isFlat = sequence < 2 || sequence == 120
    return Event(
      header: EventHeader(
        kind: isFlat ? .flat : .projection, identity: identity, sequence: sequence, theta: Double(sequence) * 0.1,
        interval: interval),
      metadata: empty, payload: empty)
  }

  /// All orders of an edge that decides with `random`, and of each image the interval from it on.
  private static func edge(
    _ configuration: DistributeStage.Configuration, _ random: inout SplitMix64
  ) throws -> (orders: [WorkerOrder], intervals: [UInt16]) {
    var (sequence, orders, intervals) = (OrderSequence(configuration), [WorkerOrder](), [UInt16]())
    while let order = try next(&sequence, { _ in 0 }) {
      if Int.random(in: 0..<4, using: &random) == 0 {
        sequence.progress.updateInterval =
          [1, 1, 2, 3, 6, DistributionProgress.intervalPaused].randomElement(using: &random) ?? 1
      }
      orders.append(order)
      if case .rows = order { intervals.append(sequence.progress.interval) }
    }
    return (orders, intervals)
  }

  private static func node(
    _ configuration: DistributeStage.Configuration, _ intervals: [UInt16]
  ) throws -> [WorkerOrder] {
    var (sequence, orders) = (OrderSequence(configuration), [WorkerOrder]())
    while let order = try next(&sequence, { $0 < intervals.count ? intervals[$0] : 0 }) { orders.append(order) }
    return orders
  }

  /// The next order; nil behind the last one.
  private static func next(_ sequence: inout OrderSequence, _ interval: (Int) -> UInt16) throws -> WorkerOrder? {
    let step = try end.withUnsafeBytes { end in
      try sequence.next { .event(event($0, interval: interval(Int($0)), end)) }
    }
    if case .order(let order) = step { return order }
    return nil
  }

  @Test(arguments: [false, true]) func `A node that is told orders what the edge ordered`(isSpread: Bool) throws {
    let seed: UInt64 = 20_261_201
    var (random, others) = (SplitMix64(seed: seed), 0)
    for round in 0..<50 {
      let edge = try Self.edge(Self.configuration(isSpread: isSpread), &random)
      let node = try Self.node(Self.configuration(isTold: true, isSpread: isSpread), edge.intervals)
      #expect(node == edge.orders, "seed \(seed), round \(round)")
      // The rule taken away: every update is made.
      if try Self.node(Self.configuration(isSpread: isSpread), edge.intervals) != edge.orders { others += 1 }
    }
    #expect(others > 45, "\(others)")
  }

  @Test func `An interval comes through an image and back`() {
    var progress = DistributionProgress()
    for interval in [1, 2, 24, DistributionProgress.intervalMax, DistributionProgress.intervalPaused] {
      progress.updateInterval = interval
      let told = progress.interval
      progress.updateInterval = 7
      progress.interval = told
      #expect(progress.updateInterval == interval)
    }
    progress.interval = 1
    #expect(progress.updateInterval == 1)
  }

  @Test func `Of each image is found what its order says, in any order, and nothing before it is ordered`() throws {
    var random = SplitMix64(seed: 7)
    let edge = try Self.edge(Self.configuration(), &random)
    let (folder, runID) = (try TestFolder(), RunID.random())
    let ring = try Ring.create(
      name: RegionNames(runID: runID).ring(.orders(partition: 0)),
      specification: RingSpecification(
        runID: runID, topic: Topic.orders(partition: 0).id, slotCount: 16, payloadCapacity: 0, requiredReaders: 0,
        whenFull: .spill, spillSlotCount: 16))
    defer { withExtendedLifetime(folder) { #expect(throws: Never.self) { try Ring.unlink(name: ring.name) } } }
    let writer = try TopicWriter(ring: ring, folder: folder.path)
    let pace = OrderedPace(try TopicFollower(ring, folder: folder.path), rows: Self.rows)
    #expect(try pace.interval(from: 0) == .open)
    var (random2, sequence, images) = (SplitMix64(seed: 7), OrderSequence(Self.configuration()), 0)
    while let order = try Self.next(&sequence, { _ in 0 }) {
      if Int.random(in: 0..<4, using: &random2) == 0 {
        sequence.progress.updateInterval =
          [1, 1, 2, 3, 6, DistributionProgress.intervalPaused].randomElement(using: &random2) ?? 1
      }
      let progress = sequence.progress
      try writer.append(kind: .order, timeout: .seconds(30)) {
        order.encode(into: $0, rows: Self.rows, progress: progress)
      }
      guard case .rows = order else {
        if order.isUpdate, images % 10 == 0, images < Self.count {
          // Behind the last image is an update, and the next image is not ordered.
          try writer.flush()
          #expect(try pace.interval(from: UInt64(images)) == .open)
        }
        continue
      }
      if images % 50 == 0 {
        try writer.flush()
        #expect(try pace.interval(from: UInt64(images)) == .ordered(edge.intervals[images]))
        #expect(try pace.interval(from: UInt64(images + 1)) == .open)
      }
      images += 1
    }
    try writer.append(kind: .end, timeout: .seconds(30), EndEvent(reason: .sourceEnded, projections: 1).encode)
    try writer.flush()
    #expect(images == Self.count)
    for image in 0..<images { #expect(try pace.interval(from: UInt64(image)) == .ordered(edge.intervals[image])) }
    for _ in 0..<300 {
      let image = Int.random(in: 0..<images, using: &random)
      #expect(try pace.interval(from: UInt64(image)) == .ordered(edge.intervals[image]), "image \(image)")
    }
    // What is no image has no order of its own.
    #expect(try pace.interval(from: UInt64(images)) == .lost)
  }
}

extension WorkerOrder {
  fileprivate var isUpdate: Bool { if case .update = self { true } else { false } }
}
