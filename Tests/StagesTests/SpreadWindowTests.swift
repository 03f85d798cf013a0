import Host
import KernelTypes
import Rings
import RunModel
import Testing
import Tomography
import Topics

@testable import Stages

/// Windows of the newest projection and of others that are spread in angle: their orders, and what workers make of
/// them.
@Suite struct SpreadWindowTests {
  let runID = RunID.random()
  static let (rows, columns, fields, projections) = (3, 16, 2, 40)
  private static let spread = AngularSpread(count: 3, reach: 12)
  static let windows = WindowSchedule(newest: 2, spread: spread, iterations: 1)

  private static func theta(_ ordinal: Int) -> Double {
    (Double(ordinal) * 0.618).truncatingRemainder(dividingBy: 1) * .pi
  }

  func ring(_ topic: Topic, _ suffix: String = "", payload: Int = 0, readers: Int = 1) throws -> Ring {
    try Ring.create(
      name: RegionNames(runID: runID).ring(topic) + suffix,
      specification: RingSpecification(
        runID: runID, topic: topic.id, partition: UInt32(topic.partition), slotCount: 128, payloadCapacity: payload,
        requiredReaders: readers))
  }

  func removeAll() throws {
    for name in try SharedRegion.names(prefix: RegionNames(runID: runID).prefix) { try SharedRegion.unlink(name: name) }
  }

  /// Flats, projections of counts, and the end; with `late`, one more flat comes behind half of them.
  func images(_ count: Int = projections, late: Bool = false) throws -> Ring {
    let images = try ring(.projections, payload: Self.rows * Self.columns * 4, readers: 2)
    let writer = try TopicWriter(ring: images)
    func write(_ kind: EventKind, _ ordinal: Int) throws {
      let claim = try writer.claim(timeout: .zero)
      for pixel in 0..<Self.rows * Self.columns {
        let value: Float = kind == .flat ? Float(100 + ordinal) : Float(40 + (7 * pixel + 11 * ordinal) % 23)
        claim.payload.storeBytes(of: value, toByteOffset: pixel * 4, as: Float.self)
      }
      try writer.commit(
        claim,
        EventFields(
          kind: kind, payloadByteCount: Self.rows * Self.columns * 4, theta: Self.theta(ordinal), rows: Self.rows,
          columns: Self.columns, pixel: .float32))
    }
    for field in 0..<Self.fields { try write(.flat, field) }
    for ordinal in 0..<count {
      if late, ordinal == count / 2 { try write(.flat, 40) }
      try write(.projection, ordinal)
    }
    try writer.append(
      kind: .end, timeout: .zero, EndEvent(reason: .sourceEnded, projections: count).encode)
    return images
  }

  /// Orders as distribute makes them, in rings that may hold some already.
  func distribute(_ images: Ring, to orders: [Ring], lagMax: Int = 0, finalIterations: Int = 0) throws {
    try DistributeStage(
      configuration: .init(
        rows: orders.map { _ in 0..<Self.rows }, windows: Self.windows,
        final: .fixed(iterations: finalIterations, subsets: 1),
        lagMax: lagMax),
      projections: TopicReader(RingReader(ring: images, reader: 0, from: 0), history: nil, replaying: true),
      orders: orders.map { try TopicWriter(ring: $0) }, limits: WaitLimits(), didWork: {}
    ).run()
  }

  func read(_ ring: Ring) throws -> [(order: WorkerOrder, progress: DistributionProgress)] {
    let reader = try RingReader(ring: ring, reader: 0, from: 0)
    var orders: [(WorkerOrder, DistributionProgress)] = []
    while let event = try reader.next(timeout: .zero), event.header.kind == .order {
      orders.append(
        (
          try WorkerOrder(decoding: event.metadata, rows: 0..<Self.rows),
          try DistributionProgress(decoding: event.metadata)
        ))
    }
    return orders
  }

  /// A ring with the first `count` orders of another one, whose progress `change` may make another.
  func copy(
    _ orders: Ring, first count: Int, _ suffix: String,
    change: (WorkerOrder, inout DistributionProgress) -> Void = { _, _ in }
  ) throws -> Ring {
    let ring = try ring(.orders(partition: 0), suffix), writer = try TopicWriter(ring: ring)
    for (order, before) in try read(orders).prefix(count) {
      var progress = before
      change(order, &progress)
      try writer.append(kind: .order, timeout: .zero) {
        order.encode(into: $0, rows: 0..<Self.rows, progress: progress)
      }
    }
    return ring
  }

  @Test func `Each projection has an update over the newest and what the spread draws, and none comes after the last`()
    throws
  {
    defer { #expect(throws: Never.self) { try removeAll() } }
    let orders = try ring(.orders(partition: 0))
    try distribute(images(), to: [orders])
    var newest = NewestDirections(reach: Self.spread.reach)
    let updates = (0..<Self.projections).map { ordinal in
      newest.append(sequence: UInt64(Self.fields + ordinal), theta: Self.theta(ordinal))
      return WorkerOrder.update(
        index: ordinal, projections: max(0, ordinal - 1)..<ordinal + 1,
        spread: newest.drawn(by: Self.spread, update: ordinal).map {
          .init(ordinal: $0.ordinal, sequence: $0.sequence, theta: $0.theta)
        }, iterations: 1)
    }
    let made = try read(orders).map(\.order).filter { if case .update = $0 { true } else { false } }
    #expect(made == updates)
  }

  @Test(arguments: [1, 2, 3, 9, 30, 61, 82]) func `A successor of distribute draws what the first one would have`(
    count: Int
  ) throws {
    defer { #expect(throws: Never.self) { try removeAll() } }
    let (images, orders) = (try images(), try ring(.orders(partition: 0)))
    try distribute(images, to: [orders])
    let broken = try copy(orders, first: count, "-broken")
    try distribute(images, to: [broken])
    #expect(try read(broken).map(\.order) == read(orders).map(\.order))
  }

  @Test func `Updates are made less often while a worker stands still, and the last one has the newest projection`()
    throws
  {
    defer { #expect(throws: Never.self) { try removeAll() } }
    let orders = try ring(.orders(partition: 0))
    try distribute(images(), to: [orders], lagMax: 4)
    let windows = try read(orders).compactMap { order -> Range<Int>? in
      guard case .update(_, let newest, _, let spread, _) = order.order else { return nil }
      #expect(spread.allSatisfy { $0.ordinal < newest.upperBound && $0.ordinal >= newest.upperBound - 12 })
      return newest
    }
    #expect(windows.count < Self.projections && windows.last?.upperBound == Self.projections)
    #expect(zip(windows, windows.dropFirst()).allSatisfy { (1...12).contains($1.upperBound - $0.upperBound) })
  }

  /// A worker as it begins.
  func worker(
    _ orders: Ring, _ images: Ring, _ updates: Ring, _ volume: VolumeRegion, memory: Int, threads: Int = 1,
    projections: Int = projections, limits: WaitLimits = WaitLimits(),
    method: Method = .sirt(SIRTOptions(relaxation: 0.5)), keepsProjections: Bool = false, coarse: LiveBinning? = nil
  ) throws -> ReconstructStage {
    ReconstructStage(
      configuration: ReconstructStage.Configuration(
        layout: SliceLayout(columns: Self.columns, rows: Self.rows),
        beams: [ParallelBeam(columns: Self.columns, rotationAxis: 8)], rows: 0..<Self.rows,
        methods: WorkerMethods(window: method, remedy: "none"), minusLog: true,
        windows: Self.windows, windowMemory: memory, keepsProjections: keepsProjections, projectionsMax: projections,
        checkpointInterval: .never, needs: (true, false), fieldsMayComeLate: true, coarse: coarse),
      orders: try TopicReader(RingReader(ring: orders, reader: 0, from: 0), history: nil, replaying: true),
      projections: try TopicReader(RingReader(ring: images, reader: 1, from: 0), history: nil, replaying: true),
      updates: try TopicWriter(ring: updates), volume: volume, checkpoint: nil, pool: try ThreadPool(threads: threads),
      limits: limits, didWork: {})
  }

  func volume(_ number: Int, coarse: LiveLayout? = nil) throws -> VolumeRegion {
    try VolumeRegion.create(
      name: RegionNames(runID: runID).volume(number), runID: runID, partition: number,
      layout: SliceLayout(columns: Self.columns, rows: Self.rows), coarse: coarse, node: nil)
  }

  func slices(_ volume: VolumeRegion) -> [Float] {
    let size = Self.columns * Self.columns
    return (0..<Self.rows).flatMap { row in
      [Float](unsafeUninitializedCapacity: size) { buffer, count in
        volume.slices(of: volume.newest).copySlice(
          row: row, into: UnsafeMutableBufferPointer(rebasing: buffer[..<size]))
        count = size
      }
    }
  }

  @Test(arguments: [false, true]) func `The volume has the same bits whatever the memory and the threads`(late: Bool)
    throws
  {
    defer { #expect(throws: Never.self) { try removeAll() } }
    let (images, orders) = (try images(late: late), try ring(.orders(partition: 0)))
    try distribute(images, to: [orders])
    var made: [[Float]] = []
    for (number, (memory, threads)) in [(1000, 1), (0, 1), (1, 2), (5, 1), (12, 2)].enumerated() {
      let volume = try volume(number)
      _ = try worker(orders, images, ring(.updates(partition: number)), volume, memory: memory, threads: threads).run()
      let update = try #require(try volume.newestUpdate())
      #expect((update.index, update.projections, update.spread) == (39, 38..<40, 3))
      made.append(slices(volume))
    }
    #expect(made[0].contains { $0 != 0 } && made.allSatisfy { $0 == made[0] })
  }

  @Test(arguments: [1, 2, 3, 4]) func `A scan of few projections draws some twice, and has room for them`(count: Int)
    throws
  {
    defer { #expect(throws: Never.self) { try removeAll() } }
    let (images, orders, volume) = (try images(count), try ring(.orders(partition: 0)), try volume(0))
    try distribute(images, to: [orders])
    _ = try worker(orders, images, ring(.updates(partition: 0)), volume, memory: 1000, projections: count).run()
    let update = try #require(try volume.newestUpdate())
    #expect(update.index == count - 1 && update.spread == min(count, 3))
    #expect(slices(volume).contains { $0 != 0 })
  }

  @Test(arguments: [0, 1000]) func `A successor reads what its next window needs, and makes the same bits`(memory: Int)
    throws
  {
    defer { #expect(throws: Never.self) { try removeAll() } }
    let (images, orders) = (try images(), try ring(.orders(partition: 0)))
    try distribute(images, to: [orders])
    let (whole, broken) = (try volume(0), try volume(1))
    _ = try worker(orders, images, ring(.updates(partition: 0)), whole, memory: memory).run()
    let updates = try ring(.updates(partition: 1))
    let limits = WaitLimits(idle: .milliseconds(1))
    for (life, count) in [7, 8, 31, 60].enumerated() {
      let part = try copy(orders, first: count, "-\(life)")
      #expect(throws: StageError.self) {
        _ = try worker(part, images, updates, broken, memory: memory, limits: limits).run()
      }
    }
    _ = try worker(orders, images, updates, broken, memory: memory).run()
    #expect(slices(whole) == slices(broken))
  }
}
