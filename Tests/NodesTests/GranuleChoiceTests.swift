import Testing

@testable import Nodes

struct GranuleChoiceTests {
  @Test func `A share is what makes all of them in the end`() {
    #expect(GranuleChoice.share(of: 128, nodes: 8) == 16)
    #expect(GranuleChoice.share(of: 128, nodes: 24) == 6)
    #expect(GranuleChoice.share(of: 3, nodes: 8) == 1)
    #expect(GranuleChoice.share(of: 3, nodes: 0) == 3)
  }

  @Test func `Nodes that look at the same time take different ones`() {
    let free = Set(0..<10)
    let ranges = (0..<3).compactMap { GranuleChoice.next(free: free, of: 10, limit: 4, place: $0, nodes: 3) }
    #expect(ranges == [0..<4, 4..<8, 8..<10])
  }

  @Test func `What is free is found wherever it is`() {
    #expect(GranuleChoice.next(free: [], of: 10, limit: 4, place: 0, nodes: 3) == nil)
    #expect(GranuleChoice.next(free: [1, 2, 3], of: 10, limit: 0, place: 0, nodes: 3) == nil)
    #expect(GranuleChoice.next(free: [1, 2, 4], of: 10, limit: 4, place: 0, nodes: 3) == 1..<3)
    // Behind its own place first, then from the beginning.
    #expect(GranuleChoice.next(free: [1, 9], of: 10, limit: 4, place: 2, nodes: 3) == 9..<10)
    #expect(GranuleChoice.next(free: [1], of: 10, limit: 4, place: 2, nodes: 3) == 1..<2)
    #expect(GranuleChoice.next(free: [0], of: 1, limit: 1, place: 5, nodes: 7) == 0..<1)
  }
}
