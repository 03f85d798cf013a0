import Testing
import Tomography

@Suite struct WindowScheduleTests {
  static func windows(count: Int, length: Int, step: Int) -> [Range<Int>] {
    let schedule = WindowSchedule(length: length, step: step, iterations: 1)
    return (0..<schedule.updateCount(projections: count, isComplete: true)).map {
      schedule.window(end: ($0 + 1) * schedule.step, projections: count)
    }
  }

  @Test(arguments: [(10, 4, 2), (11, 4, 2), (3, 4, 1), (7, 24, 8), (1, 1, 1), (180, 24, 1), (181, 24, 4), (5, 6, 3)])
  func `each projection is used length over step times`(count: Int, length: Int, step: Int) {
    var uses = [Int](repeating: 0, count: count)
    for window in Self.windows(count: count, length: length, step: step) {
      for projection in window { uses[projection] += 1 }
    }
    #expect(uses.allSatisfy { $0 == length / step })
  }

  @Test func `windows fill, slide and drain`() {
    #expect(Self.windows(count: 5, length: 3, step: 1) == [0..<1, 0..<2, 0..<3, 1..<4, 2..<5, 3..<5, 4..<5])
    #expect(Self.windows(count: 5, length: 4, step: 2) == [0..<2, 0..<4, 2..<5, 4..<5])
    #expect(Self.windows(count: 2, length: 5, step: 5) == [0..<2])
  }

  @Test func `an update is due after each step`() {
    let schedule = WindowSchedule(length: 6, step: 3, iterations: 1)
    #expect((0...7).map { schedule.updateCount(projections: $0, isComplete: false) } == [0, 0, 0, 1, 1, 1, 2, 2])
    #expect(schedule.window(end: 2 * schedule.step, projections: 6) == 0..<6)
    #expect(schedule.updateCount(projections: 7, isComplete: true) == 4)
    #expect((2..<4).map { schedule.window(end: ($0 + 1) * schedule.step, projections: 7) } == [3..<7, 6..<7])
  }

  @Test func `a window is never empty and never longer than its length`() {
    for count in 0..<30 {
      for length in 1...8 {
        for step in 0...length {
          let windows = Self.windows(count: count, length: length, step: step)
          #expect(windows.isEmpty == (count == 0 || step == 0))
          let slots = WindowSchedule(length: length, step: step, iterations: 1).slots(projections: count)
          #expect(slots <= length && windows.allSatisfy { !$0.isEmpty && $0.count <= slots })
          #expect((slots == 0) == windows.isEmpty)
        }
      }
    }
  }

  @Test func `subsets are interleaved and hold each angle once`() {
    #expect(orderedSubsets(angleCount: 7, subsets: 3) == [[0, 3, 6], [1, 4], [2, 5]])
    #expect(orderedSubsets(angleCount: 4, subsets: 1) == [[0, 1, 2, 3]])
    #expect(orderedSubsets(angleCount: 4, subsets: 4) == [[0], [1], [2], [3]])
  }
}
