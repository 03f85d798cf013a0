import Host

/// Frames of a dataset that has room for them and to which nobody ever wrote: the library gives their fill value, which
/// need not be zero. An acquisition that was stopped leaves them behind, and so does a writer that lost some.
extension HDF5Dataset {
  /// Chunks that are looked at for it at most; a dataset with more is taken as it is.
  private static let chunksMax = 1 << 22

  /// Frames of which some chunk was never written; none of a dataset without chunks, or without a single one that was
  /// written.
  func unwrittenFrames() throws(FileError) -> Set<Int> {
    guard chunkDepth > 0, let frames = shape.first, let chunk = try chunkShape() else { return [] }
    let grid = shape.indices.map { (shape[$0] + chunk[$0] - 1) / chunk[$0] }
    var expected = 1
    for count in grid {
      let (product, overflow) = expected.multipliedReportingOverflow(by: count)
      guard !overflow, product <= Self.chunksMax else { return [] }
      expected = product
    }
    let written = try writtenChunkCount()
    guard written > 0, written < expected else { return [] }
    var unwritten: Set<Int> = []
    for layer in 0..<grid[0] {
      let isWhole = try isWritten(layer: layer, chunk: chunk, grid: grid)
      if !isWhole { unwritten.formUnion(layer * chunk[0]..<min(frames, (layer + 1) * chunk[0])) }
    }
    return unwritten
  }

  private func isWritten(layer: Int, chunk: [Int], grid: [Int]) throws(FileError) -> Bool {
    var place = [Int](repeating: 0, count: grid.count)
    place[0] = layer
    while true {
      guard try isChunkWritten(at: place.indices.map { place[$0] * chunk[$0] }) else { return false }
      // The next one of the layer, the last axis first.
      guard let axis = place.indices.dropFirst().last(where: { place[$0] + 1 < grid[$0] }) else { return true }
      place[axis] += 1
      for behind in axis + 1..<max(axis + 1, place.count) { place[behind] = 0 }
    }
  }
}

extension CompleteFrames {
  private static let rangesMax = 8

  /// Some numbers of frames as people write them.
  static func words(_ frames: Set<Int>) -> String {
    var ranges: [ClosedRange<Int>] = []
    for frame in frames.sorted() {
      if let last = ranges.last, last.upperBound + 1 == frame {
        ranges[ranges.count - 1] = last.lowerBound...frame
      } else {
        ranges.append(frame...frame)
      }
    }
    let words = ranges.prefix(rangesMax).map {
      $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)"
    }
    return words.joined(separator: ", ") + (ranges.count > rangesMax ? ", …" : "")
  }
}
