import CVector
package import KernelTypes

// Rows of a sinogram in fixed point: bins −3 … columns + 2, beside each its neighbour; plane by plane.
//
//   [plane][angle][bin][lane]   word of bin b: bin b, bin b + 1

/// Takes the magnitudes of `count` pixels or bins, times `factor` (above 0), into `peaks`, one for each lane, 16 where
/// there are fewer. What is not a number is larger than all others.
package func notePeaks(
  _ values: UnsafeRawPointer, count: Int, lanes: Int, factor: Float, peaks: UnsafeMutablePointer<Float>
) {
  for lane in stride(from: 0, to: lanes, by: 16) {
    var largest = SIMD16<Int32>(), address = values + 4 * lane
    for _ in 0..<count {
      largest = cvector_larger_magnitudes(largest, sixteen(address, of: lanes))
      address += 4 * lanes
    }
    let found = unsafeBitCast(largest, to: SIMD16<Float>.self)
    for index in 0..<16 {
      let peak = found[index] * factor
      if peak.magnitude.bitPattern > peaks[lane + index].bitPattern { peaks[lane + index] = peak.magnitude }
    }
  }
}

/// Converts the row of angle `number` of `count`: its bins, times the angle's weight. Returns how many bins do not fit
/// or are not finite.
///
/// `bins` is bin 0 of the row, `pairs` the start of the block's rows in fixed point.
package func convertRow(
  _ bins: UnsafeRawPointer, weight: Float, number: Int, count: Int, shape: KernelShape, scales: FixedScales,
  pairs: UnsafeMutableRawPointer
) -> Int {
  var misfits = 0
  forEachPlane(lanes: shape.lanes, widest: backPlaneLanes) { first, lanes in
    let row = pairs + (first * count + lanes * number) * 4 * shape.sinogramPitch
    for lane in stride(from: 0, to: lanes, by: 16) {
      let steps: SIMD16<Float> = cvector_multiply16(vector(scales.steps + first + lane), SIMD16(repeating: weight))
      var address = bins + 4 * (first + lane), word = row + 4 * lane, before = SIMD16<Int32>()
      var largest = SIMD16<Int32>()
      func store(_ next: SIMD16<Int32>) {
        word.storeBytes(of: cvector_side_by_side(before, next), as: SIMD16<Int32>.self)
        before = next
        word += 4 * lanes
      }
      for _ in 1..<sinogramMargin { store(SIMD16()) }
      for _ in 0..<shape.columns {
        let values = sixteen(address, of: shape.lanes)
        largest = cvector_larger_magnitudes(largest, cvector_multiply16(values, steps))
        store(cvector_quantised(values, steps))
        address += shape.pixelByteCount
      }
      for _ in 0...sinogramMargin { store(SIMD16()) }
      let peaks = unsafeBitCast(largest, to: SIMD16<Float>.self)
      for index in 0..<min(16, shape.lanes) where !(peaks[index] <= fixedLimit) {
        misfits += countMisfits(bins + 4 * (first + lane + index), steps[index], shape)
      }
    }
  }
  return misfits
}

private func countMisfits(_ bins: UnsafeRawPointer, _ steps: Float, _ shape: KernelShape) -> Int {
  let bins = bins.assumingMemoryBound(to: Float.self)
  return (0..<shape.columns).reduce(0) { abs(bins[$1 * shape.lanes] * steps) <= fixedLimit ? $0 : $0 + 1 }
}
