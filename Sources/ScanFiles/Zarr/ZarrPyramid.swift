/// Makes the levels of a volume from its slices, which come from top to bottom, and hands each out in slabs: as many
/// slices as a chunk has.
///
/// A voxel of a level is the mean of the 2 × 2 × 2 of the one before, or of as many of them as there are at an edge.
struct ZarrPyramid {
  private let layout: ZarrLevels
  private var parts: [Part]

  /// One level in the making.
  private struct Part {
    /// Slices that have come.
    var count = 0
    /// Of the slab that they are in.
    var slab: [Float]
    /// Sums over the blocks of the slice before, where the next level waits for a second slice.
    var sums: [Float]
  }

  init(_ layout: ZarrLevels) {
    self.layout = layout
    parts = layout.levels.indices.map { index in
      let (level, isLast) = (layout.levels[index], index == layout.levels.count - 1)
      let next = isLast ? 0 : layout.levels[index + 1].columns
      return Part(
        slab: Array(repeating: 0, count: layout.depth * level.columns * level.columns),
        sums: Array(repeating: 0, count: next * next))
    }
  }

  /// Takes the next slice; `body` gets each slab that this completes: its level, its number along z, and its slices one
  /// behind the other.
  mutating func add<Failure: Error>(
    _ slice: UnsafeBufferPointer<Float>,
    _ body: (_ level: Int, _ number: Int, _ slab: UnsafeBufferPointer<Float>) throws(Failure) -> Void
  ) throws(Failure) {
    try add(slice, to: 0, body)
  }

  private mutating func add<Failure: Error>(
    _ slice: UnsafeBufferPointer<Float>, to index: Int,
    _ body: (Int, Int, UnsafeBufferPointer<Float>) throws(Failure) -> Void
  ) throws(Failure) {
    let level = layout.levels[index], voxels = level.columns * level.columns
    precondition(slice.count == voxels && parts[index].count < level.slices, "a slice too many, or of another shape")
    let place = parts[index].count % layout.depth
    parts[index].slab.withUnsafeMutableBufferPointer { slab in
      _ = UnsafeMutableBufferPointer(rebasing: slab[place * voxels..<(place + 1) * voxels]).update(from: slice)
    }
    parts[index].count += 1
    let count = parts[index].count
    if place + 1 == layout.depth || count == level.slices {
      try parts[index].slab.withUnsafeBufferPointer { slab throws(Failure) in
        try body(index, (count - 1) / layout.depth, UnsafeBufferPointer(rebasing: slab[..<((place + 1) * voxels)]))
      }
    }
    guard index + 1 < layout.levels.count else { return }
    let means = reduce(slice, of: index, isFirst: count % 2 == 1, isLast: count % 2 == 0 || count == level.slices)
    guard let means else { return }
    try means.withUnsafeBufferPointer { means throws(Failure) in try add(means, to: index + 1, body) }
  }

  /// Adds a slice to the sums of blocks; the means where no other slice belongs to them.
  private mutating func reduce(_ slice: UnsafeBufferPointer<Float>, of index: Int, isFirst: Bool, isLast: Bool)
    -> [Float]?
  {
    let (columns, next) = (layout.levels[index].columns, layout.levels[index + 1].columns)
    let depth = Float(isFirst ? 1 : 2)
    return parts[index].sums.withUnsafeMutableBufferPointer { sums in
      if isFirst { sums.update(repeating: 0) }
      for row in 0..<columns {
        for column in 0..<columns { sums[row / 2 * next + column / 2] += slice[row * columns + column] }
      }
      guard isLast else { return nil }
      var means = Array(sums)
      for row in 0..<next {
        let rows = Float(min(2, columns - 2 * row))
        for column in 0..<next { means[row * next + column] /= depth * rows * Float(min(2, columns - 2 * column)) }
      }
      return means
    }
  }
}
