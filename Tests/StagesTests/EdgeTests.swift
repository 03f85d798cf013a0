import Host
import KernelTypes
import Rings
import RunModel
import Stages
import Testing
import Tomography
import Topics

/// Images that are not what the run was planned for.
@Suite struct EdgeTests {
  private let runID = RunID.random()
  private let rows = 2
  private let columns = 8

  private func ring(_ topic: Topic, payload: Int = 0) throws -> Ring {
    try Ring.create(
      name: RegionNames(runID: runID).ring(topic),
      specification: RingSpecification(
        runID: runID, topic: topic.id, partition: UInt32(topic.partition), slotCount: 16, payloadCapacity: payload,
        requiredReaders: 1))
  }

  /// A worker that is told to take one image of `rows` × `columns` and to update over it; gives the update.
  private func reconstruct(
    rows: Int, columns: Int, pixelType: PixelType? = .float32, pixel: Float = 1
  ) throws -> UpdateEvent {
    defer {
      #expect(throws: Never.self) {
        for name in try SharedRegion.names(prefix: RegionNames(runID: runID).prefix) {
          try SharedRegion.unlink(name: name)
        }
      }
    }
    let projections = try ring(.projections, payload: 4096)
    let writer = try RingWriter(ring: projections, epoch: projections.grantEpoch())
    let claim = try writer.claim(timeout: .zero)
    for index in 0..<1024 {
      claim.payload.storeBytes(of: index == 3 ? pixel : 1, toByteOffset: index * 4, as: Float.self)
    }
    try writer.commit(
      claim,
      EventFields(
        kind: .projection, payloadByteCount: rows * columns * (pixelType?.byteCount ?? 0), projection: 0, rows: rows,
        columns: columns,
        pixel: pixelType))
    let orders = try ring(.orders(partition: 0))
    let distribute = try TopicWriter(ring: orders)
    for order in [
      WorkerOrder.rows(role: .projection, sequence: 0, ordinal: 0),
      .update(index: 0, projections: 0..<1, iterations: 1),
    ] {
      try distribute.append(kind: .order, timeout: .zero) {
        order.encode(into: $0, rows: 0..<self.rows, progress: DistributionProgress())
      }
    }
    try distribute.append(kind: .end, timeout: .zero, EndEvent(reason: .sourceEnded, projections: 1).encode)
    let updates = try ring(.updates(partition: 0))
    let layout = SliceLayout(columns: self.columns, rows: self.rows)
    let volume = try VolumeRegion.create(
      name: RegionNames(runID: runID).volume(0), runID: runID, partition: 0, layout: layout, node: nil)
    _ = try ReconstructStage(
      configuration: ReconstructStage.Configuration(
        layout: layout, beams: [ParallelBeam(columns: self.columns, rotationAxis: 4)], rows: 0..<self.rows,
        methods: WorkerMethods(window: .sirt(SIRTOptions()), remedy: "none"),
        minusLog: false, windows: WindowSchedule(length: 4, step: 1, iterations: 1), keepsProjections: false,
        projectionsMax: 4, checkpointInterval: .never),
      orders: TopicReader(RingReader(ring: orders, reader: 0, from: 0), history: nil, replaying: true),
      projections: TopicReader(RingReader(ring: projections, reader: 0, from: 0), history: nil, replaying: true),
      updates: TopicWriter(ring: updates), volume: volume, checkpoint: nil, pool: ThreadPool(threads: 1),
      limits: WaitLimits(), didWork: {}
    ).run()
    return try #require(try volume.newestUpdate())
  }

  @Test func `An image as it was planned is taken, and one that is not a number is replaced and counted`() throws {
    #expect(try reconstruct(rows: rows, columns: columns).pixels.nonFinite == 0)
    #expect(try reconstruct(rows: rows, columns: columns, pixel: .nan).pixels.nonFinite == 1)
    #expect(try reconstruct(rows: rows, columns: columns, pixel: .infinity).pixels.nonFinite == 1)
  }

  @Test(arguments: [(1, 8), (2, 7), (2, 9), (16, 1), (1, 16), (2, 512)])
  func `An image of another shape is refused with both shapes`(rows: Int, columns: Int) throws {
    let error = #expect(throws: StageError.self) { try reconstruct(rows: rows, columns: columns) }
    #expect(error?.description.contains("\(rows) × \(columns)") == true, "\(error?.description ?? "")")
  }

  @Test func `An event without pixels is refused where an image should be`() throws {
    let error = #expect(throws: StageError.self) { try reconstruct(rows: 0, columns: 0, pixelType: nil) }
    #expect(error?.description.contains("has no pixels") == true, "\(error?.description ?? "")")
  }
}
