import Testing

@testable import Simulation

/// The memory of a detector that does not wait.
@Suite struct FrameMemoryTests {
  @Test func `It gives frames in their order, and has no place for more than it holds`() {
    var memory = FrameMemory(capacity: 3)
    #expect(memory.first == nil)
    var (next, lost, taken) = (0, [Int](), [Int]())
    // One more comes than goes, again and again.
    for _ in 0..<5 {
      for _ in 0..<2 {
        if !memory.append(next) { lost.append(next) }
        next += 1
      }
      if let first = memory.first {
        taken.append(first)
        memory.removeFirst()
      }
    }
    #expect(taken == [0, 1, 2, 3, 4] && lost == [5, 7, 9], "\(taken), \(lost)")
    while let first = memory.first {
      taken.append(first)
      memory.removeFirst()
    }
    #expect((taken + lost).sorted() == Array(0..<10))
  }
}
