import Glibc
import Host
import Rings
import RunModel
import Stages
import Testing
import Tomography
import Topics

/// What `distribute` orders of a scan whose rotation axis is not known before it.
@Suite struct AxisOrderTests {
  private let runID = RunID.random()
  private static let (rows, columns, count, axis) = (3, 64, 120, 30.3)

  /// Angles one after the other, or each where the others leave most.
  enum Angles: CaseIterable {
    case sequential, golden

    func theta(_ index: Int) -> Double {
      switch self {
      case .sequential: Double(index) * .pi / Double(AxisOrderTests.count)
      case .golden: (Double(index) * 0.618_033_988_749_895).truncatingRemainder(dividingBy: 1) * .pi
      }
    }
  }

  /// Line integrals of three disks, about an axis: x, y, radius in pixels, and attenuation.
  private static func line(_ theta: Double, axis: Double) -> [Float] {
    let disks = [(3.0, 5.0, 18.0, 0.02), (-9.0, 2.0, 4.0, 0.05), (8.0, -7.0, 3.0, 0.06)]
    return (0..<columns).map { bin in
      Float(
        disks.reduce(0) { sum, disk in
          let distance = Double(bin) + 0.5 - axis - disk.0 * cos(theta) - disk.1 * sin(theta)
          return sum + 2 * disk.3 * max(0, disk.2 * disk.2 - distance * distance).squareRoot()
        })
    }
  }

  private func ring(_ topic: Topic, _ suffix: String = "", payload: Int = 0) throws -> Ring {
    try Ring.create(
      name: RegionNames(runID: runID).ring(topic) + suffix,
      specification: RingSpecification(
        runID: runID, topic: topic.id, partition: UInt32(topic.partition), slotCount: 256, payloadCapacity: payload,
        requiredReaders: 1))
  }

  private func removeAll() throws {
    for name in try SharedRegion.names(prefix: RegionNames(runID: runID).prefix) { try SharedRegion.unlink(name: name) }
  }

  /// A scan of line integrals, the middle row of which is about the axis `at` says for a projection.
  private func fill(
    _ images: Ring, _ angles: Angles, count: Int = AxisOrderTests.count,
    at axis: (Int) -> Double = { _ in AxisOrderTests.axis }
  )
    throws
  {
    let writer = try TopicWriter(ring: images), byteCount = Self.rows * Self.columns * 4
    for index in 0..<count {
      let theta = angles.theta(index), claim = try writer.claim(timeout: .zero)
      let line = Self.line(theta, axis: axis(index))
      let pixels = Array(repeating: Float(7), count: Self.columns) + line + Array(repeating: 3, count: Self.columns)
      pixels.withUnsafeBytes { claim.payload.copyMemory(from: $0) }
      try writer.commit(
        claim,
        EventFields(
          kind: .projection, payloadByteCount: byteCount, theta: theta, rows: Self.rows, columns: Self.columns,
          pixel: .float32))
    }
    try writer.append(kind: .end, timeout: .zero, EndEvent(reason: .sourceEnded, projections: count).encode)
  }

  private func distribute(
    _ images: Ring, to orders: [Ring], noticed: @escaping (String) -> Void = { _ in }
  ) throws {
    try DistributeStage(
      configuration: .init(
        rows: [0..<2, 2..<3], windows: WindowSchedule(length: 8, step: 4, iterations: 1),
        final: .fixed(iterations: 2, subsets: 1),
        axis: AxisSchedule(
          row: 1, columns: Self.columns, minusLog: false, needsFlats: false, projections: Self.count)),
      projections: TopicReader(RingReader(ring: images, reader: 0), history: nil, replaying: false),
      orders: orders.map { try TopicWriter(ring: $0) }, limits: WaitLimits(), noticed: noticed, didWork: {}
    ).run()
  }

  /// All events of a worker's orders.
  private func events(_ ring: Ring) throws -> [(kind: EventKind, metadata: [UInt8])] {
    let observer = RingObserver(ring: ring)
    return try (0..<ring.progress.published).map { sequence in
      let (header, metadata) = try #require(try observer.event(at: sequence))
      return (header.kind, metadata)
    }
  }

  private func orders(_ ring: Ring, rows: Range<Int> = 0..<2) throws -> [WorkerOrder] {
    try events(ring).filter { $0.kind == .order }.map { event in
      try event.metadata.withUnsafeBytes { try WorkerOrder(decoding: $0, rows: rows) }
    }
  }

  private func axes(_ orders: [WorkerOrder]) -> [(found: FoundAxis, projections: Int, startsOver: Bool)] {
    orders.compactMap { if case .axis(let found, let count, let anew) = $0 { (found, count, anew) } else { nil } }
  }

  @Test(arguments: Angles.allCases)
  func `The axis is ordered when the angles show it, ever again, and before the final iterations`(angles: Angles) throws
  {
    defer { #expect(throws: Never.self) { try removeAll() } }
    let images = try ring(.projections, payload: Self.rows * Self.columns * 4)
    let outputs = [try ring(.orders(partition: 0)), try ring(.orders(partition: 1))]
    try fill(images, angles)
    try distribute(images, to: outputs)
    let orders = try orders(outputs[0]), axes = axes(orders)
    #expect(try self.orders(outputs[1], rows: 2..<3).count == orders.count)
    // 150 of 180 degrees are 100 of 120 projections, their last step with them.
    #expect(axes.map(\.projections) == (angles == .sequential ? [100, 120] : [24, 36, 54, 81, 120]))
    #expect(axes.allSatisfy { abs($0.found.axis - Self.axis) < 0.3 && !$0.startsOver }, "\(axes)")
    #expect(try abs(#require(axes.last).found.axis - Self.axis) < 0.1, "\(axes)")
    // No update before the first; none between the last and the final iterations.
    let first = try #require(orders.firstIndex { if case .axis = $0 { true } else { false } })
    #expect(!orders[..<first].contains { if case .update = $0 { true } else { false } })
    #expect(orders.contains { if case .update = $0 { true } else { false } })
    let last = try #require(orders.lastIndex { if case .axis = $0 { true } else { false } })
    #expect(orders.last == .final(iterations: 2, subsets: 1, projections: Self.count))
    // What is about all projections comes before the last windows: these are about it too.
    #expect(orders[last...].dropFirst().dropLast().allSatisfy { if case .update = $0 { true } else { false } })
  }

  @Test func `A successor goes on to the same orders, wherever its predecessor died`() throws {
    defer { #expect(throws: Never.self) { try removeAll() } }
    func image(_ name: String) throws -> Ring {
      let images = try ring(.projections, name, payload: Self.rows * Self.columns * 4)
      try fill(images, .golden)
      return images
    }
    let whole = [try ring(.orders(partition: 0)), try ring(.orders(partition: 1))]
    try distribute(image(""), to: whole)
    let events = try whole.map(events)
    let orders = try orders(whole[0])
    let places = orders.indices.filter { if case .axis = orders[$0] { true } else { false } }
    let (first, last) = try (#require(places.first), #require(places.last))
    // Nobody was told of an axis that was found, or one of two workers.
    for (number, (told, missing)) in [(first, 0), (first + 1, 1), (last, 0), (last + 1, 1)].enumerated() {
      let outputs = try (0..<2).map { worker in
        let ring = try ring(.orders(partition: worker), "-\(number)"), writer = try TopicWriter(ring: ring)
        for event in events[worker][..<(told - (worker == 1 ? missing : 0))] {
          try writer.append(kind: event.kind, timeout: .zero) { metadata in
            metadata.copyBytes(from: event.metadata)
            return event.metadata.count
          }
        }
        return ring
      }
      try distribute(image("-\(number)"), to: outputs)
      for worker in 0..<2 {
        let made = try self.events(outputs[worker]).map(\.metadata)
        #expect(made == events[worker].map(\.metadata), "\(told), \(missing)")
      }
    }
  }

  @Test func `What one worker was told of the axis the others are told too`() throws {
    defer { #expect(throws: Never.self) { try removeAll() } }
    let images = try ring(.projections, payload: Self.rows * Self.columns * 4)
    try fill(images, .golden)
    let outputs = [try ring(.orders(partition: 0)), try ring(.orders(partition: 1))]
    let told = FoundAxis(17.25, error: 0.125)
    var progress = DistributionProgress()
    for worker in 0..<2 {
      let writer = try TopicWriter(ring: outputs[worker])
      for index in 0..<24 {
        (progress.input, progress.projections) = (UInt64(index + 1), index + 1)
        let order = WorkerOrder.rows(
          role: .projection, sequence: UInt64(index), ordinal: index, theta: Angles.golden.theta(index))
        try writer.append(kind: .order, timeout: .zero) {
          order.encode(into: $0, rows: worker == 0 ? 0..<2 : 2..<3, progress: progress)
        }
      }
      guard worker == 0 else { continue }
      var after = progress
      (after.axis, after.axisOrders, after.axisSought) = (told, 1, 24)
      try writer.append(kind: .order, timeout: .zero) {
        WorkerOrder.axis(told, projections: 24, startsOver: false).encode(into: $0, rows: 0..<2, progress: after)
      }
    }
    try distribute(images, to: outputs)
    let orders = try [orders(outputs[0]), orders(outputs[1], rows: 2..<3)]
    #expect(orders[1][24] == .axis(told, projections: 24, startsOver: false))
    let axes = orders.map(axes)
    #expect(axes[0].map(\.found) == axes[1].map(\.found))
    // It was far off, so what was made about it is left behind.
    #expect(axes[0].map(\.startsOver) == [false, true, false, false, false], "\(axes[0])")
  }

  @Test func `A scan that ends too early has the detector's middle for an axis, which is no more than a guess`() throws
  {
    defer { #expect(throws: Never.self) { try removeAll() } }
    let images = try ring(.projections, payload: Self.rows * Self.columns * 4)
    try fill(images, .sequential, count: 50)
    let outputs = [try ring(.orders(partition: 0)), try ring(.orders(partition: 1))]
    var words: [String] = []
    try distribute(images, to: outputs) { words.append($0) }
    let axes = try axes(orders(outputs[0]))
    #expect(axes.map(\.projections) == [50] && axes[0].found == .middle(ofColumns: Self.columns))
    #expect(axes[0].found.isGuess && axes[0].found.words.contains("no rotation axis was found"))
    #expect(words.count == 1 && words[0].contains("75"), "\(words)")
  }
}
