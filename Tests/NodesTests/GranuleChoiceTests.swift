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

  @Test func `Neighbours are taken together, the most of them first`() {
    let free: Set = [0, 4, 5, 6, 9]
    #expect(GranuleChoice.next(free: free, of: 10, limit: 4, place: 0, nodes: 1) == 4..<7)
    #expect(GranuleChoice.next(free: free, of: 10, limit: 2, place: 0, nodes: 1) == 4..<6)
    #expect(GranuleChoice.next(free: free, of: 10, limit: 1, place: 0, nodes: 1) == 0..<1)
    // In its share first.
    #expect(GranuleChoice.next(free: free, of: 10, limit: 4, place: 1, nodes: 2) == 5..<7)
    #expect(GranuleChoice.next(free: [3, 4, 5], of: 6, limit: 3, place: 0, nodes: 2) == 3..<6)
  }

  @Test func `A node takes 64 rows a core, of granules of any size, or as many granules as it is told`() {
    #expect(GranuleChoice.most(rows: 16, cores: 2) == 8)
    #expect(GranuleChoice.most(rows: 64, cores: 2) == 2)
    #expect(GranuleChoice.most(rows: 100, cores: 3) == 3)
    #expect(GranuleChoice.most(rows: 24, cores: 1) == 2)
  }
}
