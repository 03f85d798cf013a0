/// The last projections that were measured, in the form of a slot, in memory that is used again and again.
final class ProjectionHistory {
  private let capacity: Int
  private let byteCount: Int
  private var buffers: [UnsafeMutableRawBufferPointer] = []
  private var places: [(number: UInt64, theta: Double, buffer: Int)] = []

  /// Room for `capacity` images of so many bytes.
  init(capacity: Int, byteCount: Int) { (self.capacity, self.byteCount) = (capacity, byteCount) }

  deinit { for buffer in buffers { buffer.deallocate() } }

  /// Takes note of the image `bytes`; the oldest one goes where there is no room.
  func note(_ number: UInt64, theta: Double, _ bytes: UnsafeRawBufferPointer) {
    precondition(bytes.count == byteCount, "an image of \(bytes.count) B, not \(byteCount)")
    let buffer: Int
    if places.count == capacity {
      buffer = places.removeFirst().buffer
    } else {
      buffer = Set(0...capacity - 1).subtracting(places.map(\.buffer)).min()!
      if buffer == buffers.count { buffers.append(.allocate(byteCount: byteCount, alignment: 64)) }
    }
    buffers[buffer].copyMemory(from: bytes)
    places.append((number, theta, buffer))
  }

  /// Takes the image of a number out: it turned out to show nothing.
  func forget(_ number: UInt64) { places.removeAll { $0.number == number } }

  /// All of them go: something else came between.
  func forgetAll() { places = [] }

  /// All of them, the oldest first.
  var neighbours: [GapProgram.Neighbour] {
    places.map {
      GapProgram.Neighbour(number: $0.number, theta: $0.theta, bytes: UnsafeRawBufferPointer(buffers[$0.buffer]))
    }
  }
}
