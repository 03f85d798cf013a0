import Host
import KernelTypes
import Rings
import RunModel
import Stages
import Testing
import Tomography
import Topics

/// What a worker says of projections that came twice or never.
@Suite struct LossCountTests {
  private let runID = RunID.random()
  private let rows = 2
  private let columns = 8

  private func ring(_ topic: Topic, suffix: String = "", payload: Int = 0) throws -> Ring {
    try Ring.create(
      name: RegionNames(runID: runID).ring(topic) + suffix,
      specification: RingSpecification(
        runID: runID, topic: topic.id, partition: UInt32(topic.partition), slotCount: 64, payloadCapacity: payload,
        requiredReaders: 1))
  }

  /// Publishes four projections of line integrals.
  private func fill(_ projections: Ring) throws {
    let writer = try RingWriter(ring: projections, epoch: projections.grantEpoch())
    for index in 0..<4 {
      let claim = try writer.claim(timeout: .zero)
      let byteCount = rows * columns * 4
      for pixel in 0..<rows * columns {
        claim.payload.storeBytes(of: Float(1 + index), toByteOffset: pixel * 4, as: Float.self)
      }
      try writer.commit(
        claim,
        EventFields(
          kind: .projection, payloadByteCount: byteCount, theta: Double(index), projection: UInt64(index), rows: rows,
          columns: columns,
          pixel: .float32))
    }
  }

  /// Hands out all four, number 1 twice, with an update in between; says that five were acquired.
  private func distribute(to orders: Ring) throws {
    let writer = try TopicWriter(ring: orders)
    func send(_ order: WorkerOrder) throws {
      try writer.append(kind: .order, timeout: .zero) {
        order.encode(into: $0, rows: 0..<rows, progress: DistributionProgress())
      }
    }
    for ordinal in [0, 1, 1, 2] {
      try send(.rows(role: .projection, sequence: UInt64(ordinal), ordinal: ordinal))
    }
    try send(.update(index: 0, projections: 0..<3, iterations: 1))
    try send(.rows(role: .projection, sequence: 3, ordinal: 3))
    try writer.append(kind: .end, timeout: .zero, EndEvent(reason: .sourceEnded, projections: 4, acquired: 5).encode)
  }

  /// Runs a worker; gives the end of its updates.
  private func reconstruct(_ orders: Ring, _ projections: Ring, _ updates: Ring, _ volume: VolumeRegion) throws
    -> EndEvent
  {
    let configuration = ReconstructStage.Configuration(
      layout: SliceLayout(columns: columns, rows: rows), beams: [ParallelBeam(columns: columns, rotationAxis: 4)],
      rows: 0..<rows,
      methods: WorkerMethods(window: .sirt(SIRTOptions()), remedy: "none"), minusLog: false,
      windows: WindowSchedule(length: 4, step: 1, iterations: 1),
      keepsProjections: false,
      projectionsMax: 5, checkpointInterval: .never)
    let stage = ReconstructStage(
      configuration: configuration,
      orders: try TopicReader(RingReader(ring: orders, reader: 0, from: 0), history: nil, replaying: true),
      projections: try TopicReader(RingReader(ring: projections, reader: 0, from: 0), history: nil, replaying: true),
      updates: try TopicWriter(ring: updates), volume: volume, checkpoint: nil, pool: try ThreadPool(threads: 1),
      limits: WaitLimits(),
      didWork: {})
    _ = try stage.run()
    let (header, metadata) = try #require(try RingObserver(ring: updates).latest())
    #expect(header.kind == .end)
    return try metadata.withUnsafeBytes { try EndEvent(decoding: $0) }
  }

  @Test
  func `A projection that comes twice is dropped and counted, and one that never comes is missed, after a replay too`()
    throws
  {
    defer {
      #expect(throws: Never.self) {
        for name in try SharedRegion.names(prefix: RegionNames(runID: runID).prefix) {
          try SharedRegion.unlink(name: name)
        }
      }
    }
    let projections = try ring(.projections, payload: rows * columns * 4)
    let orders = try ring(.orders(partition: 0))
    try fill(projections)
    try distribute(to: orders)
    let volume = try VolumeRegion.create(
      name: RegionNames(runID: runID).volume(0), runID: runID, partition: 0,
      layout: SliceLayout(columns: columns, rows: rows), node: nil)
    let expected = EndEvent(reason: .sourceEnded, projections: 4, acquired: 5, duplicates: 1, generation: 1)
    #expect(try reconstruct(orders, projections, ring(.updates(partition: 0)), volume) == expected)
    // The volume contains the update now, so a successor that finds no reports replays the orders before it.
    #expect(try reconstruct(orders, projections, ring(.updates(partition: 0), suffix: "-again"), volume) == expected)
  }
}
