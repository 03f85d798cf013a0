import KernelTypes

/// A small copy of a volume in 8 bits a voxel, for a look from all sides.
package struct Overview: Sendable {
  package let columns: Int
  package let slices: Int
  /// What 0 and 255 stand for: the 0.1 and the 99.9 percentile. What is no number is 0.
  package let low: Float
  package let high: Float
  /// (z, y, x).
  package let bytes: [UInt8]

  /// The most voxels along a side.
  package static let edges = 16...256
}

/// Makes an overview slice by slice, so that whoever makes it can stop at any time and go on later.
///
/// A voxel is the mean of at most two samples along each direction: of all that it covers where these are two, of two
/// evenly spaced ones where they are more. A volume that changes meanwhile has slices of several generations in it.
package final class OverviewBuilder {
  private let source: any ViewedVolume
  private let edge: Int
  private let columns: Int
  private let slices: Int
  private var values: [Float] = []
  /// What it is made of.
  package private(set) var generations: [UInt64] = []
  /// What the volume was when it began.
  package let begunAt: [UInt64]

  package init(_ source: any ViewedVolume, edge: Int) {
    precondition(Overview.edges.contains(edge), "an overview of \(edge)")
    (self.source, self.edge, begunAt) = (source, edge, source.generations)
    (columns, slices) = (min(edge, source.columns), min(edge, source.slices))
    values.reserveCapacity(columns * columns * slices)
  }

  private var slice: Int { values.count / (columns * columns) }
  package var isComplete: Bool { slice == slices }

  /// Makes one more slice.
  package func step() throws(PlaneMissing) {
    precondition(!isComplete, "all \(slices) slices are made")
    let covered = slice * source.slices / slices..<(slice + 1) * source.slices / slices
    let taken =
      covered.count <= 2
      ? Array(covered) : [1, 3].map { covered.lowerBound + covered.count * $0 / 4 }
    var sums = [Float](repeating: 0, count: columns * columns)
    for index in taken {
      let plane = try source.plane(.z, at: index, edgeMax: 2 * edge)
      add(plane, share: 1 / Float(taken.count), to: &sums)
      generations += plane.generations
    }
    values += sums
  }

  private func add(_ plane: Plane, share: Float, to sums: inout [Float]) {
    // A plane that is read with every so-manieth voxel may be a little narrower than the overview.
    let spans = (0..<columns).map { column in
      let first = min(plane.columns - 1, column * plane.columns / columns)
      return first..<max(first + 1, (column + 1) * plane.columns / columns)
    }
    for (row, lines) in spans.enumerated() {
      for (column, pixels) in spans.enumerated() {
        var sum = Float(0)
        for line in lines { for pixel in pixels { sum += plane.values[line * plane.columns + pixel] } }
        sums[row * columns + column] += sum * share / Float(lines.count * pixels.count)
      }
    }
  }

  /// The overview, of which every slice is made.
  package func finish() -> Overview {
    precondition(isComplete, "\(slice) of \(slices) slices are made")
    let range = PlaneStatistics.percentiles(of: values.filter(\.isFinite), [0.1, 99.9])
    let (low, high) = (Float(range[0]), Float(range[1]))
    let scale = low < high ? 255 / (high - low) : 0
    let bytes = values.map { value -> UInt8 in
      value.isFinite ? UInt8(min(255, max(0, (value - low) * scale)).rounded()) : 0
    }
    return Overview(columns: columns, slices: slices, low: low, high: high, bytes: bytes)
  }
}
