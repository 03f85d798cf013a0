/// The band-limited ramp filter of filtered backprojection, as a convolution.
///
/// h(0) = 1/4, h(k) = −1/(πk)² for odd k and 0 for even k: G. N. Ramachandran and A. V. Lakshminarayanan, Proc. Natl.
/// Acad. Sci. USA 68 (1971) 2236–2240. Each projection is continued on both sides by its edge value, fading out over
/// half its width, so that a sample that leaves the detector does not shine at the edge.
struct RampFilter {
  private let columns: Int
  private let fade: Int
  private let reach: Int  // the largest distance over which a bin sees another that is not zero

  init(columns: Int) {
    self.columns = columns
    fade = columns / 2
    reach = columns + fade
  }

  /// Filters projections of `columns` bins, one after the other.
  func apply(_ projections: [Float]) -> [Float] {
    var filtered = projections.map { $0 / 4 }
    var padded = [Float](repeating: 0, count: columns + 2 * reach)
    // All three loops stay inside: bins reach `reach` to each side, and `padded` has that much on each side of a
    // projection.
    filtered.withUnsafeMutableBufferPointer { filtered in
      padded.withUnsafeMutableBufferPointer { padded in
        for first in stride(from: 0, to: projections.count, by: columns) {
          pad(projections[first..<first + columns], into: padded)
          convolve(padded.baseAddress! + reach, into: filtered.baseAddress! + first)
        }
      }
    }
    return filtered
  }

  private func pad(_ projection: ArraySlice<Float>, into padded: UnsafeMutableBufferPointer<Float>) {
    for (bin, value) in projection.enumerated() { padded[reach + bin] = value }
    let (left, right) = (padded[reach], padded[reach + columns - 1])
    for bin in 0..<fade {
      let weight = 1 - (Float(bin) + 0.5) / Float(fade)
      padded[reach - 1 - bin] = left * weight
      padded[reach + columns + bin] = right * weight
    }
  }

  /// Adds the odd taps; bins are the innermost loop, so that it is vectorised.
  private func convolve(_ projection: UnsafePointer<Float>, into filtered: UnsafeMutablePointer<Float>) {
    for distance in stride(from: 1, to: reach, by: 2) {
      let weight = -1 / (Float.pi * Float.pi * Float(distance) * Float(distance))
      let (left, right) = (projection - distance, projection + distance)
      var bin = 0
      while bin < columns {
        filtered[bin] += weight * (left[bin] + right[bin])
        bin &+= 1
      }
    }
  }
}
