import Host
import Rings
import RunModel
import Testing
import Tomography

@testable import Stages

/// The interval of updates against made-up workers.
@Suite struct UpdateIntervalTests {
  private static let windows = WindowSchedule(length: 24, step: 1, iterations: 1)

  /// A scan of so many projections, `spacing` seconds apart, and a worker whose updates take `seconds(projection)`.
  /// Gives the interval and the lag at each projection.
  private func scan(
    _ count: Int, spacing: Double = 0.1, isMeasured: Bool = true, seconds: (Int) -> Double
  ) -> [(interval: Int, lag: Int)] {
    var interval = UpdateInterval(lagMax: 48, windows: Self.windows, projections: 0)
    var (present, windowEnd, course): (Int, Int, [(interval: Int, lag: Int)]) = (1, 0, [])
    // When the worker has made each update, whose windows end where.
    var updates: [(end: Int, done: Double)] = []
    for projection in 1...count {
      let now = Double(projection) * spacing
      let done = updates.last { $0.done <= now }?.end ?? 0, waiting = updates.contains { $0.done > now }
      let lag = waiting ? projection - done : 0, needed = Int((1.25 * seconds(projection) / spacing).rounded(.up))
      present = interval.next(present, lag: lag, projections: projection) { _ in isMeasured ? min(needed, 24) : nil }
      if projection >= windowEnd + present {
        windowEnd = projection
        updates.append((projection, max(now, updates.last?.done ?? 0) + seconds(projection)))
      }
      course.append((present, lag))
    }
    return course
  }

  @Test func `A worker that is too slow gets at once the interval that it can follow, and keeps it`() {
    // Updates of 0.33 s for projections each 0.1 s: one update in five leaves room.
    let course = scan(600) { _ in 0.33 }
    let intervals = course.map(\.interval)
    #expect(Set(intervals) == [1, 5], "\(intervals)")
    let changes = zip(intervals, intervals.dropFirst()).filter { $0 != $1 }.count
    #expect(changes == 1)
    // At the projection at which the lag is too large, and not when orders of the old interval have been worked off.
    #expect(course.first { $0.interval == 5 }.map { $0.lag == 49 } == true)
    #expect(course.suffix(60).allSatisfy { $0.lag <= 12 }, "\(course.suffix(60))")
  }

  @Test func `The interval comes back at once when the worker is fast again, and stays`() {
    let intervals = scan(900) { $0 < 300 ? 0.33 : 0.05 }.map(\.interval)
    let changes = intervals.indices.dropFirst().filter { intervals[$0] != intervals[$0 - 1] }
    #expect(changes.count == 2 && Set(intervals) == [1, 5], "\(changes)")
    #expect(changes.last.map { $0 < 300 + 2 * 24 + 60 } == true, "\(changes)")
  }

  @Test func `Updates that take longer and shorter in turns do not make the interval swing`() {
    let intervals = scan(2000) { $0 % 7 < 3 ? 0.25 : 0.39 }.map(\.interval)
    let changes = zip(intervals, intervals.dropFirst()).filter { $0 != $1 }.count
    #expect(changes <= 4, "\(changes) changes")
  }

  @Test func `Where no update was measured the interval doubles and halves, once in a window`() {
    let course = scan(900, isMeasured: false) { $0 < 300 ? 0.33 : 0.05 }
    let intervals = course.map(\.interval)
    for (before, after) in zip(intervals, intervals.dropFirst()) where before != after {
      #expect(after == 2 * before || after == before / 2 || after == 24, "\(before) to \(after)")
    }
    #expect(intervals.max() ?? 0 > 4 && intervals.last == 1)
  }

  @Test func `The interval is no more than a window, and becomes less where the lag is below a quarter of the limit`() {
    var interval = UpdateInterval(lagMax: 48, windows: Self.windows, projections: 0)
    #expect(interval.next(1, lag: 49, projections: 100) { _ in 1000 } == 24)
    #expect(interval.next(24, lag: 12, projections: 500) { _ in 1 } == 24)
    #expect(interval.next(24, lag: 11, projections: 500) { _ in 1 } == 1)
  }

  @Test func `What is needed is asked a few times in a window, and where nobody knows it the interval doubles once`() {
    var (interval, asked) = (UpdateInterval(lagMax: 48, windows: Self.windows, projections: 0), 0)
    var (present, courses): (Int, [Int]) = (1, [])
    for projections in 100..<148 {
      present = interval.next(present, lag: 60, projections: projections) { _ in
        asked += 1
        return nil
      }
      courses.append(present)
    }
    // At the first of each window alone.
    #expect(courses == Array(repeating: 2, count: 24) + Array(repeating: 4, count: 24) && asked == 8, "\(asked)")
  }

  @Test func `An interval that should be enough doubles where workers get no nearer`() {
    for (lag, wanted) in [(60, 10), (59, 5)] {
      var interval = UpdateInterval(lagMax: 48, windows: Self.windows, projections: 0)
      #expect(interval.next(1, lag: 49, projections: 100) { _ in 5 } == 5)
      #expect(interval.next(5, lag: 60, projections: 200) { _ in 5 } == 5)
      #expect(interval.next(5, lag: lag, projections: 230) { _ in 5 } == wanted)
    }
  }

  /// A ring with forty updates that a worker has computed in so many milliseconds, each so long after the one before.
  private func updates(
    _ runID: RunID, _ partition: Int, computed: UInt64, apart: UInt64, phase: UpdateEvent.Phase = .window
  ) throws -> Ring {
    let topic = Topic.updates(partition: partition)
    let ring = try Ring.create(
      name: RegionNames(runID: runID).ring(topic),
      specification: RingSpecification(
        runID: runID, topic: topic.id, partition: UInt32(partition), slotCount: 16, payloadCapacity: 0,
        requiredReaders: 0))
    let writer = try RingWriter(ring: ring, epoch: ring.grantEpoch())
    for index in 0..<40 {
      let claim = try writer.claim(timeout: .zero)
      let update = UpdateEvent(
        phase: phase, index: index, iterations: 1, cursor: 1, generation: 1, projections: 0..<8, rows: 0..<1,
        residualSquared: 1, dataSquared: 1, duration: computed * 1_000_000, pixels: .init())
      let used = update.encode(into: claim.metadata)
      try writer.commit(
        claim, EventFields(kind: .update, acquiredAt: UInt64(index) * apart * 1_000_000, metadataByteCount: used))
    }
    return ring
  }

  /// The interval of workers behind, whose projections come each 20 ms.
  private func interval(_ rings: [Ring]) -> Int? {
    var pace = UpdatePace(updates: rings.map { RingObserver(ring: $0) }, windows: Self.windows)
    for projection in 0..<50 { pace.countProjection(at: UInt64(projection) * 20_000_000) }
    return pace.interval(isBehind: true)
  }

  @Test func `The slowest worker decides, once all have made updates, and waiting counts four times at most`() throws {
    let runID = RunID.random(), names = RegionNames(runID: runID)
    defer {
      #expect(throws: Never.self) {
        for name in try SharedRegion.names(prefix: names.prefix) { try SharedRegion.unlink(name: name) }
      }
    }
    let (slow, fast) = (
      try updates(runID, 0, computed: 50, apart: 100), try updates(runID, 1, computed: 10, apart: 10)
    )
    #expect(interval([fast]) == 1 && interval([fast, slow]) == 7 && interval([slow, fast]) == 7)
    // A quarter more than four times 50 ms, over 20 ms.
    #expect(interval([try updates(runID, 2, computed: 50, apart: 1000)]) == 13)
    let final = try updates(runID, 3, computed: 50, apart: 100, phase: .final)
    #expect(interval([final]) == nil && interval([slow, final]) == nil)
  }

  @Test func `The interval follows from the rate of projections and the seconds of an update`() throws {
    let runID = RunID.random(), topic = Topic.updates(partition: 0)
    let ring = try Ring.create(
      name: RegionNames(runID: runID).ring(topic),
      specification: RingSpecification(
        runID: runID, topic: topic.id, partition: 0, slotCount: 16, payloadCapacity: 0, requiredReaders: 0))
    defer {
      #expect(throws: Never.self) { try SharedRegion.unlink(name: RegionNames(runID: runID).ring(topic)) }
    }
    var pace = UpdatePace(updates: [RingObserver(ring: ring)], windows: Self.windows)
    #expect(pace.interval(isBehind: true) == nil)
    for projection in 0..<50 { pace.countProjection(at: UInt64(projection) * 20_000_000) }
    #expect(pace.interval(isBehind: true) == nil)
    let writer = try RingWriter(ring: ring, epoch: ring.grantEpoch())
    for index in 0..<40 {
      let claim = try writer.claim(timeout: .zero)
      // Computed in 50 ms, each 100 ms after the one before.
      let update = UpdateEvent(
        phase: .window, index: index, iterations: 1, cursor: 1, generation: 1, projections: 0..<8, rows: 0..<1,
        residualSquared: 1, dataSquared: 1, duration: 50_000_000, pixels: .init())
      let used = update.encode(into: claim.metadata)
      try writer.commit(
        claim, EventFields(kind: .update, acquiredAt: UInt64(index) * 100_000_000, metadataByteCount: used))
    }
    // A quarter more than 50 ms, and 100 ms, over 20 ms.
    #expect(pace.interval(isBehind: false) == 4)
    #expect(pace.interval(isBehind: true) == 7)
    #expect(pace.interval(isBehind: false) == 7)
    // A projection each millisecond: no projection is left out, so no more than a window.
    for projection in 0..<200 { pace.countProjection(at: 1_000_000_000 + UInt64(projection) * 1_000_000) }
    #expect(pace.interval(isBehind: true) == 24)
  }
}
