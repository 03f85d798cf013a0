import Host
import Rings
import RunModel
import Stages
import Testing
import Tomography
import Topics

/// What `distribute` decides, seen in the orders that it writes.
@Suite struct WindowOrderTests {
  private let runID = RunID.random()

  private func ring(_ topic: Topic, readers: Int = 1) throws -> Ring {
    try Ring.create(
      name: RegionNames(runID: runID).ring(topic),
      specification: RingSpecification(
        runID: runID, topic: topic.id, partition: UInt32(topic.partition), slotCount: 512, payloadCapacity: 0,
        requiredReaders: readers))
  }

  private func removeAll() throws {
    for name in try SharedRegion.names(prefix: RegionNames(runID: runID).prefix) { try SharedRegion.unlink(name: name) }
  }

  /// Sends flats, darks and `count` projections through the stage; gives what each of two workers was told.
  private func orders(
    projections count: Int, _ configuration: DistributeStage.Configuration,
    didWork: @escaping ([Ring]) -> Void = { _ in }
  ) throws -> [[WorkerOrder]] {
    let input = try ring(.projections)
    let outputs = try [ring(.orders(partition: 0)), ring(.orders(partition: 1))]
    defer { #expect(throws: Never.self) { try removeAll() } }
    let source = try RingWriter(ring: input, epoch: input.grantEpoch())
    let kinds = [EventKind.dark, .flat, .flat] + Array(repeating: .projection, count: count)
    for kind in kinds { try source.commit(source.claim(timeout: .zero), EventFields(kind: kind)) }
    let end = try source.claim(timeout: .zero)
    try source.commit(
      end,
      EventFields(
        kind: .end, metadataByteCount: EndEvent(reason: .signal, projections: count).encode(into: end.metadata)))
    let stage = DistributeStage(
      configuration: configuration,
      projections: try TopicReader(RingReader(ring: input, reader: 0), history: nil, replaying: false),
      orders: try outputs.map { try TopicWriter(ring: $0) }, limits: WaitLimits(), didWork: { didWork(outputs) })
    try stage.run()
    return try zip(outputs, configuration.rows).map { output, rows in
      let reader = try RingReader(ring: output, reader: 0, from: 0)
      var orders: [WorkerOrder] = []
      while let event = try reader.next(timeout: .zero) {
        if event.header.kind == .end {
          #expect(try EndEvent(decoding: event.metadata) == EndEvent(reason: .signal, projections: count))
        } else {
          orders.append(try WorkerOrder(decoding: event.metadata, rows: rows))
        }
      }
      return orders
    }
  }

  private func configuration(length: Int, step: Int, final: Int = 0, lagMax: Int = 0) -> DistributeStage.Configuration {
    .init(
      rows: [0..<3, 3..<5], windows: WindowSchedule(length: length, step: step, iterations: 2),
      final: .fixed(iterations: final, subsets: 3), lagMax: lagMax)
  }

  @Test func `Every worker gets its own rows and the same orders`() throws {
    let orders = try orders(projections: 5, configuration(length: 4, step: 2, final: 7))
    // Each was read as orders to the worker of its rows.
    #expect(orders[0] == orders[1])
    #expect(
      orders[0].prefix(4) == [
        .rows(role: .dark, sequence: 0, ordinal: 0), .rows(role: .flat, sequence: 1, ordinal: 0),
        .rows(role: .flat, sequence: 2, ordinal: 0), .rows(role: .projection, sequence: 3, ordinal: 0),
      ])
    #expect(orders[0].last == .final(iterations: 7, subsets: 3, projections: 5))
    let updates = orders[0].filter { if case .update = $0 { true } else { false } }
    #expect(
      updates
        == [0..<2, 0..<4, 2..<5, 4..<5].enumerated().map { .update(index: $0, projections: $1, iterations: 2) })
  }

  @Test(arguments: [(24, 1, 50), (8, 4, 30), (6, 3, 31), (5, 5, 20)])
  func `Every projection is used the same number of times`(length: Int, step: Int, count: Int) throws {
    var uses = Array(repeating: 0, count: count)
    for order in try orders(projections: count, configuration(length: length, step: step))[0] {
      if case .update(_, let projections, _, _, _) = order { for projection in projections { uses[projection] += 1 } }
    }
    #expect(uses.allSatisfy { $0 == length / step }, "\(uses)")
  }

  private func windows(_ orders: [WorkerOrder]) -> [Range<Int>] {
    orders.compactMap { if case .update(_, let projections, _, _, _) = $0 { projections } else { nil } }
  }

  /// Whether each window lies in the newest projections at its time, which are all that a worker keeps.
  private func areInReach(_ orders: [WorkerOrder], length: Int) -> Bool {
    var projections = 0
    return orders.allSatisfy { order in
      if case .rows(.projection, _, _, _) = order { projections += 1 }
      guard case .update(_, let window, _, _, _) = order else { return true }
      return window.lowerBound + length >= projections && window.upperBound <= projections
    }
  }

  @Test func `Updates are made less often while a worker stands still, and leave no projection out`() throws {
    let orders = try orders(projections: 120, configuration(length: 8, step: 1, lagMax: 4))[0]
    let windows = windows(orders)
    let steps = zip(windows, windows.dropFirst()).map { $1.upperBound - $0.upperBound }
    #expect(steps.max() == 8)
    #expect(areInReach(orders, length: 8))
    #expect(Set(windows.joined()) == Set(0..<120))
    #expect(windows.count < 60)
    #expect(windows.last?.upperBound == 120)
  }

  @Test func `The pace of updates comes back with the worker`() throws {
    // The worker stands still for 40 orders and applies everything at once from then on; what was applied stays
    // readable.
    let done = Counter()
    var readers: [RingReader] = []
    let orders = try orders(projections: 150, configuration(length: 8, step: 1, lagMax: 4)) { outputs in
      done.count += 1
      do {
        if readers.isEmpty {
          readers = try outputs.map { try RingReader(ring: $0, reader: 0) }
          for reader in readers { try reader.hold(from: 0) }
        }
        if done.count > 40 { for reader in readers { try reader.release(upTo: reader.publishedThrough) } }
      } catch {
        Issue.record(error)
      }
    }
    let windows = windows(orders[0])
    let steps = zip(windows, windows.dropFirst()).map { $1.upperBound - $0.upperBound }.filter { $0 > 0 }
    #expect(steps.contains(8))
    #expect(areInReach(orders[0], length: 8))
    #expect(steps.suffix(20).allSatisfy { $0 == 1 }, "\(steps)")
    #expect(Set(windows.joined()) == Set(0..<150))
  }

  @Test func `A successor gives a worker that is behind the pace that the others were given`() throws {
    let input = try ring(.projections)
    let (ahead, behind) = (try ring(.orders(partition: 0)), try ring(.orders(partition: 1)))
    defer { #expect(throws: Never.self) { try removeAll() } }
    let source = try RingWriter(ring: input, epoch: input.grantEpoch())
    for _ in 0..<100 { try source.commit(source.claim(timeout: .zero), EventFields(kind: .projection)) }
    try source.commit(
      source.claim(timeout: .zero),
      EventFields(
        kind: .end,
        metadataByteCount: EndEvent(reason: .signal, projections: 100).encode(
          into: source.claim(timeout: .zero).metadata)))
    var configuration = configuration(length: 8, step: 1, lagMax: 4)
    configuration.rows = [0..<3]
    for (outputs, rows) in [([ahead], [0..<3]), ([ahead, behind], [0..<3, 3..<5])] {
      configuration.rows = rows
      try DistributeStage(
        configuration: configuration,
        projections: try TopicReader(RingReader(ring: input, reader: 0, from: 0), history: nil, replaying: true),
        orders: try outputs.map { try TopicWriter(ring: $0) }, limits: WaitLimits(), didWork: {}
      ).run()
    }
    let told = try [(ahead, 0..<3), (behind, 3..<5)].map { windows(try orders(in: $0, rows: $1)) }
    #expect(told[0] == told[1])
    #expect(zip(told[0], told[0].dropFirst()).contains { $1.upperBound - $0.upperBound > 1 })
  }

  private func orders(in ring: Ring, rows: Range<Int>) throws -> [WorkerOrder] {
    let reader = try RingReader(ring: ring, reader: 0, from: 0)
    var orders: [WorkerOrder] = []
    while let event = try reader.next(timeout: .zero), event.header.kind == .order {
      orders.append(try WorkerOrder(decoding: event.metadata, rows: rows))
    }
    return orders
  }

  private final class Counter { var count = 0 }

  @Test func `A scan that ends before its first projection has no updates and no final sweep`() throws {
    let orders = try orders(projections: 0, configuration(length: 4, step: 1, final: 5))[0]
    #expect(orders.count == 3)
  }
}
