import Testing
import Tomography

@testable import Stages

/// The ladder against a made-up worker.
@Suite struct UpdateLevelsTests {
  private static let windows = WindowSchedule(length: 24, step: 1, iterations: 1)
  private static let ladder = SlowLadder([.widen, .decimate(4), .decimate(16)])

  @Test func `A ladder has each step once, and leaves out more with each`() throws {
    let ladder = try #require(Self.ladder)
    #expect((0...3).map { ladder.decimation(at: $0) } == [1, 1, 4, 16])
    #expect((0...3).map { ladder.widens(at: $0) } == [false, true, true, true])
    #expect(ladder.levels == ["full", "widen", "decimate:4", "decimate:16"])
    #expect(SlowLadder([.decimate(2), .widen])?.widens(at: 1) == false)
    #expect(!ladder.coarsens)
    let coarse = try #require(SlowLadder([.widen, .coarse, .decimate(4)]))
    #expect((0...3).map { coarse.coarsens(at: $0) } == [false, false, true, true] && coarse.coarsens)
    #expect(coarse.levels == ["full", "widen", "coarse", "decimate:4"])
    let wrong: [[SlowLadder.Step]] = [
      [], [.widen, .widen], [.coarse, .widen, .coarse], [.decimate(1)], [.decimate(65)], [.decimate(4), .decimate(4)],
      [.decimate(4), .widen, .decimate(2)], (2...10).map { .decimate($0) },
    ]
    for steps in wrong { #expect(SlowLadder(steps) == nil, "\(steps)") }
  }

  /// A scan of so many projections, 10 ms apart, and a worker that takes `seconds(projection)` for an update of a whole
  /// window and as many times less as its angles are fewer. Gives level, interval and the seconds that each projection
  /// which was used waited.
  private func scan(
    _ count: Int, _ ladder: SlowLadder, latencyMax: Double = 1, seconds: (Int) -> Double
  ) -> [(level: Int, interval: Int, wait: Double)] {
    course(count, ladder, latencyMax: latencyMax, seconds: seconds).updates
  }

  /// The same, with the level after each projection.
  private func course(
    _ count: Int, _ ladder: SlowLadder, latencyMax: Double = 1, seconds: (Int) -> Double
  ) -> (updates: [(level: Int, interval: Int, wait: Double)], levels: [Int]) {
    let spacing = 0.01
    var (levels, interval) = (
      UpdateLevels(ladder, windows: Self.windows, projections: 0),
      UpdateInterval(lagMax: 0, windows: Self.windows, projections: 0)
    )
    interval.limit(to: Int(latencyMax / 4 / spacing))
    var (level, present, windowEnd, free) = (0, 1, 0, 0.0)
    var course: [(level: Int, interval: Int, wait: Double)] = [], trace: [Int] = []
    for projection in 1...count {
      let now = Double(projection) * spacing, every = ladder.decimation(at: level)
      let backlog = UpdateBacklog(
        lag: max(0, Int((free - now) / spacing)), lagMax: 0, latency: max(0, free - now) / (latencyMax / 2))
      let work = seconds(projection) / Double(every)
      present = levels.next(&level, present, &interval, backlog, projections: projection) { _ in
        min(24, 1.25 * work / spacing)
      }
      trace.append(level)
      guard projection >= windowEnd + present, (projection - 1) % ladder.decimation(at: level) == 0 else { continue }
      windowEnd = projection
      free = max(now, free) + seconds(projection) / Double(ladder.decimation(at: level))
      course.append((level, present, free - now))
    }
    return (course, trace)
  }

  @Test func `What widening does not do the next steps do, one by one, and all go back`() throws {
    let ladder = try #require(Self.ladder)
    // 0.4 s for what comes in 0.24 s at most between updates, and then little.
    let (updates, levels) = course(9000, ladder) { $0 < 5000 ? 0.4 : 0.002 }
    #expect(levels[..<5000].max() ?? 0 >= 2 && levels.last == 0, "\(levels[..<5000].max() ?? 0), \(levels.last ?? -1)")
    let changes = zip(levels, levels.dropFirst()).enumerated().filter { $0.element.0 != $0.element.1 }
    #expect(changes.allSatisfy { abs($0.element.0 - $0.element.1) == 1 }, "\(changes)")
    // A window lies between two of them, and what is needed is found once, not sought again and again.
    #expect(zip(changes, changes.dropFirst()).allSatisfy { $1.offset - $0.offset >= Self.windows.span }, "\(changes)")
    #expect(changes.count <= 8, "\(changes)")
    #expect(updates.last?.interval == 1)
  }

  @Test func `A worker three times too slow widens, is never later than allowed, and does not swing`() throws {
    let ladder = try #require(Self.ladder)
    let course = scan(4000, ladder) { _ in 0.03 }
    #expect(course.map(\.level).max() == 1)
    #expect(course.allSatisfy { $0.wait < 1 }, "\(course.map(\.wait).max() ?? 0) s")
    let changes = zip(course, course.dropFirst()).filter { $0.level != $1.level || $0.interval != $1.interval }
    #expect(changes.count == 1, "\(changes.count) changes")
  }

  @Test func `Without widening every K-th projection is used, at intervals of its own`() throws {
    let ladder = try #require(SlowLadder([.decimate(2), .decimate(8)]))
    let course = scan(4000, ladder) { _ in 0.03 }
    #expect(course.allSatisfy { $0.interval == 1 && $0.wait < 1 }, "\(course.map(\.wait).max() ?? 0) s")
    // Half of the projections, in half of the time each: enough, and not with fewer left out.
    let changes = zip(course, course.dropFirst()).filter { $0.level != $1.level }
    #expect(course.map(\.level).max() == 1 && changes.count == 1, "\(changes.count) changes")
  }

  @Test func `A coarse grid stays while the slices themselves could not be followed, and goes then`() throws {
    let ladder = try #require(SlowLadder([.coarse]))
    /// A worker that takes `seconds` for an update, an eighth of it on the coarse grid.
    func levels(_ seconds: [(until: Int, seconds: Double)]) -> [Int] {
      let spacing = 0.01
      var (levels, interval) = (
        UpdateLevels(ladder, windows: Self.windows, projections: 0),
        UpdateInterval(lagMax: 0, windows: Self.windows, projections: 0)
      )
      var (level, free, trace) = (0, 0.0, [Int]())
      for projection in 1...(seconds.last?.until ?? 1) {
        let now = Double(projection) * spacing
        let whole = seconds.first { projection <= $0.until }?.seconds ?? 0
        let work = ladder.coarsens(at: level) ? whole / 8 : whole
        let backlog = UpdateBacklog(
          lag: max(0, Int((free - now) / spacing)), lagMax: 0, latency: max(0, free - now) / 0.5)
        _ = levels.next(&level, 1, &interval, backlog, projections: projection) { _ in 1.25 * work / spacing }
        free = max(now, free) + (ladder.coarsens(at: level) ? whole / 8 : whole)
        trace.append(level)
      }
      return trace
    }
    let trace = levels([(2000, 0.03), (4000, 0.005)])
    #expect(trace[..<2000].last == 1 && trace.last == 0)
    #expect(zip(trace, trace.dropFirst()).count { $0 != $1 } == 2)
  }

  @Test func `The usual ladder is the interval alone`() {
    var (levels, interval, other) = (
      UpdateLevels(.standard, windows: Self.windows, projections: 0),
      UpdateInterval(lagMax: 48, windows: Self.windows, projections: 0),
      UpdateInterval(lagMax: 48, windows: Self.windows, projections: 0)
    )
    var (level, present, alone) = (0, 1, 1)
    for (projection, lag) in [0, 49, 60, 80, 60, 40, 11, 9, 70, 80, 5, 0].enumerated() {
      let backlog = UpdateBacklog(lag: lag, lagMax: 48)
      present = levels.next(&level, present, &interval, backlog, projections: 20 * projection) { _ in 4.5 }
      alone = other.next(alone, lag: lag, projections: 20 * projection) { _ in 5 }
      #expect(present == alone && level == (alone > 1 ? 1 : 0), "at \(projection)")
    }
    #expect(present > 1)
  }

  @Test func `A successor waits a window before it changes anything`() {
    guard let ladder = SlowLadder([.decimate(4)]) else { return }
    var (levels, interval) = (
      UpdateLevels(ladder, windows: Self.windows, projections: 100),
      UpdateInterval(lagMax: 0, windows: Self.windows, projections: 100)
    )
    var level = 0
    for projection in 100..<130 {
      _ = levels.next(
        &level, 1, &interval, UpdateBacklog(lag: 99, lagMax: 0, latency: 3), projections: projection
      ) { _ in nil }
      #expect(level == (projection < 124 ? 0 : 1))
    }
  }
}
