import Host
import Testing

@testable import Tomography

@Suite struct StableSortTests {
  /// Sorts by key; gives the order of the items, and how many comparisons that took.
  private func sorted(_ keys: [Int]) -> (order: [Int], comparisons: Int) {
    var items = keys.enumerated().map { (key: $1, index: $0) }, comparisons = 0
    let scratch = UnsafeMutablePointer<(key: Int, index: Int)>.allocate(capacity: max(1, keys.count))
    defer { scratch.deallocate() }
    items.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      sortStably(base, count: buffer.count, scratch: scratch) {
        comparisons += 1
        return $0.key < $1.key
      }
    }
    return (items.map(\.index), comparisons)
  }

  @Test(arguments: [0, 1, 2, 15, 16, 17, 31, 33, 100, 1000]) func `Equal items keep their order`(count: Int) {
    var random = SplitMix64(seed: 3)
    for distinct in [1, 3, count + 1] {
      let keys = (0..<count).map { _ in Int.random(in: 0..<distinct, using: &random) }
      let expected = keys.indices.sorted { (keys[$0], $0) < (keys[$1], $1) }
      #expect(sorted(keys).order == expected, "\(count) items of \(distinct) keys, seed 3")
    }
  }

  @Test func `Any order of many items is sorted in about as many steps as it has, times their logarithm`() {
    let count = 100_000
    let orders = [
      Array((0..<count).reversed()), (0..<16).flatMap { Array(stride(from: $0, to: count, by: 16)) },
      (0..<count).map { $0 * 61_803 % count },
    ]
    for order in orders { #expect(sorted(order).comparisons < count * 24) }
    #expect(sorted(Array(0..<count)).comparisons < count * 2)
  }
}
