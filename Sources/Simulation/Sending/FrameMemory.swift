/// The memory of a detector that does not wait: the projections that were measured and that nobody has taken yet.
///
/// It holds numbers only: the pixels are read when they are sent, so that a large memory costs nothing.
struct FrameMemory {
  private let capacity: Int
  private var places: [Int]
  private var (head, count) = (0, 0)

  /// An empty one with so many places.
  init(capacity: Int) {
    precondition(capacity > 0, "a memory of \(capacity) frames")
    self.capacity = capacity
    places = Array(repeating: 0, count: capacity)
  }

  /// The projection that waits longest; nil for none.
  var first: Int? { count > 0 ? places[head] : nil }

  /// Takes a projection; false where every place is taken.
  mutating func append(_ projection: Int) -> Bool {
    guard count < capacity else { return false }
    places[(head + count) % capacity] = projection
    count += 1
    return true
  }

  /// Gives the place of the first one free.
  mutating func removeFirst() {
    precondition(count > 0, "nothing is in the memory")
    (head, count) = ((head + 1) % capacity, count - 1)
  }
}
