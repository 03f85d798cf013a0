/// Sorts items in place and keeps equal ones in their order, without allocating: `scratch` has room for as many. Short
/// runs by insertion, then merged (D. E. Knuth, The Art of Computer Programming 3, 5.2.4); runs that follow each other
/// already stay where they are, so items that come sorted cost one comparison each.
func sortStably<Item>(
  _ items: UnsafeMutablePointer<Item>, count: Int, scratch: UnsafeMutablePointer<Item>,
  _ precedes: (Item, Item) -> Bool
) {
  let run = 16
  for first in stride(from: 0, to: count, by: run) {
    for end in first..<min(first + run, count) { insert(items, first..<end, precedes) }
  }
  var width = run
  // Each turn doubles the width.
  while width < count {
    for first in stride(from: 0, to: count - width, by: 2 * width) {
      merge(items, first, first + width, min(first + 2 * width, count), scratch, precedes)
    }
    width *= 2
  }
}

/// Moves the item behind a sorted range to its place there.
private func insert<Item>(
  _ items: UnsafeMutablePointer<Item>, _ sorted: Range<Int>, _ precedes: (Item, Item) -> Bool
) {
  let item = items[sorted.upperBound]
  var index = sorted.upperBound
  while index > sorted.lowerBound && precedes(item, items[index - 1]) {
    items[index] = items[index - 1]
    index -= 1
  }
  items[index] = item
}

/// Merges the sorted `first ..< middle` and `middle ..< end`.
private func merge<Item>(
  _ items: UnsafeMutablePointer<Item>, _ first: Int, _ middle: Int, _ end: Int,
  _ scratch: UnsafeMutablePointer<Item>, _ precedes: (Item, Item) -> Bool
) {
  guard precedes(items[middle], items[middle - 1]) else { return }
  let count = middle - first
  scratch.initialize(from: items + first, count: count)
  var (left, right, place) = (0, middle, first)
  while left < count {
    if right < end && precedes(items[right], scratch[left]) {
      items[place] = items[right]
      right += 1
    } else {
      items[place] = scratch[left]
      left += 1
    }
    place += 1
  }
}
