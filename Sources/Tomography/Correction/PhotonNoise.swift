import Glibc
package import KernelTypes

/// The noise of line integrals, from photon statistics: a pixel that counts I detector units has the variance I / gain.
///
/// The gain, photons for a unit, is that of each detector row by itself, so that it does not depend on how rows are
/// cut: the flats' variance over their mean, once the row's overall intensity in each flat is taken out, and of that
/// the median over the row's pixels. σ² of a row is the mean of 1 / (gain counts) over its rays, of the projection and,
/// n times less, of the n flats. Readout noise and zingers are not in it; neither is what a filter does to line
/// integrals afterwards, so that after phase retrieval it says nothing.
package struct PhotonNoise: Sendable, Equatable {
  private let columns: Int
  private let flatCount: Int
  /// 1 / (gain (flat − dark)) of each pixel; NaN where there is none.
  private let variances: [Float]

  /// Nil with fewer than two flats.
  package init?(_ fields: FlatDarkAccumulator) {
    guard fields.flatCount >= 2 else { return nil }
    columns = fields.columns
    flatCount = fields.flatCount
    let counts = zip(fields.flatMeans(), fields.darkMeans()).map { $0 - $1 }
    variances = (0..<fields.rows).flatMap { Self.variances(fields, counts, row: $0) }
    if variances.allSatisfy(\.isNaN) { return nil }
  }

  /// The noise of line integrals of each row of `block`, whose flats these are, as far as there are. `sinogram` holds
  /// exactly this block. 0 where nothing is known. Some 128 × 512 rays of each row are looked at.
  package func noise(
    block: Int, layout: SliceLayout, sinogram: UnsafeRawPointer, slots: Int, angles: [WindowAngle]
  ) -> [Float] {
    let rows = variances.count / columns, lanes = layout.lanes(block: block)
    precondition(
      rows <= layout.rows(of: block..<block + 1).count && columns == layout.measured.count, "flats of other rows")
    let angleStep = (angles.count + 127) / 128, binStep = (columns + 511) / 512
    return (0..<rows).map { lane in
      var sum = 0.0, count = 0
      for angle in stride(from: 0, to: angles.count, by: angleStep) {
        let offset = layout.binOffset(block: block, of: block..<block + 1, slot: angles[angle].slot, slots: slots)
        let line = (sinogram + offset + layout.measuredOffset(block: block)).assumingMemoryBound(to: Float.self) + lane
        for bin in stride(from: 0, to: columns, by: binStep) {
          let variance = Double(variances[lane * columns + bin]), integral = Double(line[bin * lanes])
          guard variance.isFinite, integral.isFinite else { continue }
          sum += variance * (exp(integral) + 1 / Double(flatCount))
          count += 1
        }
      }
      return count == 0 ? 0 : Float((sum / Double(count)).squareRoot())
    }
  }

  private static func variances(_ fields: FlatDarkAccumulator, _ counts: [Double], row: Int) -> [Float] {
    let pixels = row * fields.columns..<(row + 1) * fields.columns
    let counts = counts[pixels]
    var ratios = zip(pixels, counts).compactMap { pixel, count -> Float? in
      guard count > 0, let variance = fields.flatVariance(at: pixel) else { return nil }
      return Float(variance / count)
    }
    guard !ratios.isEmpty else { return pixels.map { _ in .nan } }
    // The median of a sample variance lies below the variance (E. B. Wilson and M. M. Hilferty, Proc. Natl. Acad. Sci.
    // USA 17, 1931): by the cube of 1 − 2 / 9k at k degrees of freedom.
    let root = 1 - 2 / (9 * Double(fields.flatCount - 1))
    let ratioCount = ratios.count
    let median = ratios.withUnsafeMutableBufferPointer {
      select(ratioCount / 2, of: $0.baseAddress!, count: ratioCount)
    }
    let unitsPerPhoton = Double(median) / (root * root * root)
    return counts.map { $0 > 0 && unitsPerPhoton > 0 ? Float(unitsPerPhoton / $0) : .nan }
  }
}
