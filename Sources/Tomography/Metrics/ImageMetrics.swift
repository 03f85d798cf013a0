import Glibc

/// Peak signal-to-noise ratio of a slice in decibels, inside the disc of radius `radiusFraction` · `columns` pixels
/// around its middle.
///
/// The peak is the reference's maximum − minimum inside the disc. A pixel belongs to the disc when its centre does.
///
/// - Parameters:
///   - image: `columns` × `columns` pixels.
///   - reference: the truth, of the same shape.
/// - Returns: +∞ for equal images, NaN when a pixel is NaN or the reference is constant.
package func psnr(
  _ image: UnsafeBufferPointer<Float>, reference: UnsafeBufferPointer<Float>, columns: Int, radiusFraction: Double
) -> Double {
  let sums = DiscSums(image, reference, columns: columns, radiusFraction: radiusFraction)
  let peak = Double(sums.referenceMax) - Double(sums.referenceMin)
  guard peak > 0 else { return .nan }
  return 10 * log10(peak * peak / (sums.squaredDifference / Double(sums.count)))
}

/// ‖image − reference‖₂ / ‖reference‖₂ inside the disc of radius `radiusFraction` · `columns` pixels around the slice's
/// middle.
///
/// - Parameters:
///   - image: `columns` × `columns` pixels.
///   - reference: of the same shape.
/// - Returns: 0 for equal images, NaN when a pixel is NaN or the reference is zero and the image too.
package func relativeL2(
  _ image: UnsafeBufferPointer<Float>, reference: UnsafeBufferPointer<Float>, columns: Int, radiusFraction: Double
) -> Double {
  let sums = DiscSums(image, reference, columns: columns, radiusFraction: radiusFraction)
  return (sums.squaredDifference / sums.squaredReference).squareRoot()
}

/// What the metrics need to know about the pixels of a disc.
private struct DiscSums {
  private(set) var count = 0
  private(set) var squaredDifference = 0.0
  private(set) var squaredReference = 0.0
  private(set) var referenceMin = Float.infinity
  private(set) var referenceMax = -Float.infinity

  init(
    _ image: UnsafeBufferPointer<Float>, _ reference: UnsafeBufferPointer<Float>, columns: Int, radiusFraction: Double
  ) {
    precondition(
      image.count == columns * columns && reference.count == image.count, "\(image.count) and \(reference.count) pixels"
    )
    let radius = radiusFraction * Double(columns)
    let middle = Double(columns) / 2
    for row in 0..<columns {
      let y = Double(row) + 0.5 - middle
      for column in 0..<columns {
        let x = Double(column) + 0.5 - middle
        guard x * x + y * y <= radius * radius else { continue }
        let truth = reference[row * columns + column]
        let difference = Double(image[row * columns + column]) - Double(truth)
        count += 1
        squaredDifference += difference * difference
        squaredReference += Double(truth) * Double(truth)
        referenceMin = min(referenceMin, truth)
        referenceMax = max(referenceMax, truth)
      }
    }
  }
}
