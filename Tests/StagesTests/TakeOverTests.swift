import Host
import KernelTypes
import Rings
import RunModel
import Stages
import Testing
import Tomography
import Topics

/// What a worker's successor reads, and what counts as its work.
@Suite struct TakeOverTests {
  private let runID = RunID.random()
  private let rows = 2
  private let columns = 8
  private static let (fields, projections) = (3, 12)
  private let windows = WindowSchedule(length: 4, step: 2, iterations: 1)

  private func ring(_ topic: Topic, suffix: String = "", payload: Int = 0, readers: Int = 1) throws -> Ring {
    try Ring.create(
      name: RegionNames(runID: runID).ring(topic) + suffix,
      specification: RingSpecification(
        runID: runID, topic: topic.id, partition: UInt32(topic.partition), slotCount: 64, payloadCapacity: payload,
        requiredReaders: readers))
  }

  private func removeAll() throws {
    for name in try SharedRegion.names(prefix: RegionNames(runID: runID).prefix) { try SharedRegion.unlink(name: name) }
  }

  /// Flats and darks, projections of line integrals, and the end; with `late`, one flat comes behind half of them.
  private func fill(_ images: Ring, late: Bool) throws {
    let writer = try TopicWriter(ring: images)
    var kinds = Array(repeating: EventKind.flat, count: Self.fields - (late ? 1 : 0))
    for index in 0..<Self.projections {
      if late, index == Self.projections / 2 { kinds.append(.flat) }
      kinds.append(.projection)
    }
    for (number, kind) in kinds.enumerated() {
      let claim = try writer.claim(timeout: .zero)
      for pixel in 0..<rows * columns {
        claim.payload.storeBytes(of: Float(1 + number % 5), toByteOffset: pixel * 4, as: Float.self)
      }
      try writer.commit(
        claim,
        EventFields(
          kind: kind, payloadByteCount: rows * columns * 4, theta: 0.2 * Double(number), rows: rows, columns: columns,
          pixel: .float32))
    }
    try writer.append(
      kind: .end, timeout: .zero, EndEvent(reason: .sourceEnded, projections: Self.projections).encode)
  }

  /// Orders as distribute makes them.
  private func distribute(_ images: Ring, to orders: Ring) throws {
    try DistributeStage(
      configuration: .init(rows: [0..<rows], windows: windows, final: .fixed(iterations: 0, subsets: 1)),
      projections: TopicReader(RingReader(ring: images, reader: 0), history: nil, replaying: false),
      orders: [TopicWriter(ring: orders)], limits: WaitLimits(), didWork: {}
    ).run()
  }

  /// One life of a worker; gives the end of its updates, and how often it said that it worked.
  private func reconstruct(_ orders: Ring, _ images: Ring, _ updates: Ring, _ volume: VolumeRegion) throws
    -> (end: EndEvent, works: Int)
  {
    var works = 0
    let stage = ReconstructStage(
      configuration: ReconstructStage.Configuration(
        layout: SliceLayout(columns: columns, rows: rows), beams: [ParallelBeam(columns: columns, rotationAxis: 4)],
        rows: 0..<rows, methods: WorkerMethods(window: .sirt(SIRTOptions()), remedy: "none"), minusLog: false,
        windows: windows, keepsProjections: false, projectionsMax: Self.projections, checkpointInterval: .never,
        fieldsMayComeLate: true),
      orders: try TopicReader(RingReader(ring: orders, reader: 0, from: 0), history: nil, replaying: true),
      projections: try TopicReader(RingReader(ring: images, reader: 1, from: 0), history: nil, replaying: true),
      updates: try TopicWriter(ring: updates), volume: volume, checkpoint: nil, pool: try ThreadPool(threads: 1),
      limits: WaitLimits(), didWork: { works += 1 })
    _ = try stage.run()
    let (header, metadata) = try #require(try RingObserver(ring: updates).latest())
    #expect(header.kind == .end)
    return (try metadata.withUnsafeBytes { try EndEvent(decoding: $0) }, works)
  }

  @Test(arguments: [false, true])
  func `A successor reads no projection that its volume contains, and what was done before is no work of its own`(
    late: Bool
  ) throws {
    defer { #expect(throws: Never.self) { try removeAll() } }
    let images = try ring(.projections, payload: rows * columns * 4, readers: 2)
    let orders = try ring(.orders(partition: 0))
    try fill(images, late: late)
    try distribute(images, to: orders)
    let volume = try VolumeRegion.create(
      name: RegionNames(runID: runID).volume(0), runID: runID, partition: 0,
      layout: SliceLayout(columns: columns, rows: rows), node: nil)
    let first = try reconstruct(orders, images, ring(.updates(partition: 0)), volume)
    #expect(first.end.projections == Self.projections && first.end.fields == Self.fields && first.works > 0)
    // Whoever looked at a projection now would not get on.
    let region = try SharedRegion.attach(name: images.name), stride = images.specification.slotStride
    let isField = { (number: Int) in
      number < Self.fields - (late ? 1 : 0) || late && number == Self.fields - 1 + Self.projections / 2
    }
    for number in 0..<Self.fields + Self.projections where !isField(number) {
      region.base.storeBytes(of: 0, toByteOffset: 8192 + number * stride + 16, as: UInt64.self)
      region.base.storeBytes(of: 0, toByteOffset: 8192 + number * stride + 124, as: UInt32.self)
    }
    withExtendedLifetime(region) {}
    // The volume contains every update, so a successor that finds no reports takes over all orders.
    let second = try reconstruct(orders, images, ring(.updates(partition: 0), suffix: "-again"), volume)
    #expect(second.end == first.end)
    #expect(second.works == 0)
  }
}
