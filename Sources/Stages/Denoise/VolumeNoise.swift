import Tomography

/// The noise of a volume: the median of what pairs of neighbouring slices all over it say. `copy` copies slices.
func noiseLevel(
  slices: Int, columns: Int, copy: (Range<Int>, UnsafeMutableBufferPointer<Float>) -> Void
) -> Float {
  // Slice pairs that the noise is estimated from.
  let pairsMax = 8
  let size = columns * columns, pairs = min(pairsMax, max(1, slices / 2)), count = min(2, slices)
  let stack = UnsafeMutableBufferPointer<Float>.allocate(capacity: count * size)
  defer { stack.deallocate() }
  let levels = (0..<pairs).map { pair in
    let first = pairs == 1 ? max(0, slices / 2 - 1) : pair * (slices - 2) / (pairs - 1)
    copy(first..<first + count, stack)
    return noiseLevel(of: UnsafePointer(stack.baseAddress!), count: count, columns: columns)
  }
  return levels.sorted()[pairs / 2]
}
