import Glibc
package import KernelTypes

// Half acquisition: the rotation axis lies near an edge of the detector, and what it misses at one angle it measures
// half a turn later. A slice then has more columns than the detector (`SliceLayout.measured`).
extension SliceLayout {
  /// Radians after which projections see the same: half a turn, with half acquisition a whole one.
  package var period: Double { measuresAll ? .pi : 2 * .pi }

  /// Sides of the detector at which a slice ends: with half acquisition one.
  package var outerSides: SampleEdges.Sides {
    measured.lowerBound > 0 ? .right : measured.upperBound < columns ? .left : .both
  }

  /// The part of the bins of a row that is measured; 1 where all are.
  var measuredPart: Double { Double(measured.count) / Double(columns) }

  /// What filtered backprojection multiplies each bin by before it filters rows, so that a ray that is measured twice
  /// in a turn counts once: w(s) + w(−s) = 1 at the distances s from the axis. Across the overlap of opposite rays w
  /// rises like a sine, from 0 at the detector's near edge, so that filtering meets no step there. The weights of G.
  /// Wang, Med. Phys. 29, 2002, 1634–1636, for a parallel beam. With `padding` pixels more at each edge; 1 where all
  /// bins are measured. `rotationAxis` is that of a slice without them.
  func overlapWeights(rotationAxis: Double, padding: Int = 0) -> [Float] {
    guard !measuresAll else { return Array(repeating: 1, count: columns + 2 * padding) }
    let left = rotationAxis - Double(measured.lowerBound), right = Double(measured.upperBound) - rotationAxis
    let overlap = max(min(left, right), .leastNormalMagnitude), sign = right > left ? 1.0 : -1
    return (-padding..<columns + padding).map { bin in
      let place = sign * (Double(bin) + 0.5 - rotationAxis) / overlap
      return place <= -1 ? 0 : place >= 1 ? 1 : Float(0.5 * (1 + sin(0.5 * .pi * place)))
    }
  }
}
