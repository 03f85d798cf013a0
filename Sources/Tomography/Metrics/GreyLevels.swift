/// The range of values to show in a picture: from the `percentile` to the 100 − `percentile` percentile of the finite
/// pixels, so that a few outliers do not wash the picture out.
///
/// At most about 260,000 evenly spaced pixels are looked at. An image without a finite pixel gives 0 … 0.
///
/// - Parameter percentile: from 0 (the full range) to less than 50.
package func greyRange(_ image: UnsafeBufferPointer<Float>, percentile: Double) -> ClosedRange<Float> {
  precondition(percentile >= 0 && percentile < 50, "percentile \(percentile)")
  // An odd step, so that it does not fall on the same columns of every row.
  let step = max(1, image.count / 262_144) | 1
  let values = stride(from: 0, to: image.count, by: step).lazy.map { image[$0] }.filter(\.isFinite).sorted()
  guard let last = values.indices.last else { return 0...0 }
  let rank = Int((Double(last) * percentile / 100).rounded())
  return values[rank]...values[last - rank]
}

/// Maps `low` … `high` to the grey levels 0 … 255, rounded to the nearest. Values outside are cut off, NaN is black; an
/// empty range gives black up to `low` and white above.
package func greyLevels(_ image: UnsafeBufferPointer<Float>, low: Float, high: Float) -> [UInt8] {
  precondition(low <= high, "grey levels from \(low) to \(high)")
  let scale = 255 / max(high - low, .leastNormalMagnitude)
  return image.map { value in
    let level = (value - low) * scale
    return level > 0 ? UInt8(min(level, 255).rounded()) : 0
  }
}
