import KernelTypes

// Penalised weighted least squares: a line integral b has the variance 1 / (I₀ e^−b), so it weighs e^−b ≤ 1 (J. A.
// Fessler, IEEE Trans. Med. Imaging 13, 1994, 290–300). R and C stay those of ones, which are no smaller, so steps stay
// as safe. λ is multiplied by the mean weight of the slice's rays: the rule's balance of data and penalty.
extension SubsetSolver {
  /// Mean weights of the block's slices; ones where nothing is weighed.
  func findMeanWeights(_ executor: some Executor) -> [Float] {
    let rows = layout.rows(of: blocks), lanes = layout.lanes(block: state.block)
    guard options.weighsCounts else { return Array(repeating: 1, count: rows.count) }
    let sums = UnsafeMutableBufferPointer<Double>.allocate(capacity: angles.count * lanes)
    defer { sums.deallocate() }
    sums.initialize(repeating: 0)
    executor.forEach(count: angles.count) { angle in
      let bins = data(angle: angle).assumingMemoryBound(to: Float.self)
      for bin in 0..<layout.measured.count {
        for lane in 0..<lanes { sums[angle * lanes + lane] += Double(transmission(bins[bin * lanes + lane])) }
      }
    }
    let rays = Double(angles.count * layout.measured.count)
    return rows.indices.map { index in
      let lane = index - rows.lowerBound
      return Float(angles.indices.reduce(0.0) { $0 + sums[$1 * lanes + lane] } / rays)
    }
  }

  /// Residuals of a row times their weights.
  func weigh(_ residuals: UnsafeMutableRawPointer, by data: UnsafeRawPointer, lanes: Int) {
    let residuals = residuals.assumingMemoryBound(to: Float.self), data = data.assumingMemoryBound(to: Float.self)
    for index in 0..<layout.measured.count * lanes { residuals[index] *= transmission(data[index]) }
  }
}

/// e^−b for b from 0 to 60, and what it is there beyond: without a library, whose last bits differ between machines.
/// Right to 4e-7.
func transmission(_ lineIntegral: Float) -> Float {
  let value = max(0, min(lineIntegral, 60)), halvings = (value * 1.442_695_04).rounded()
  // e^−value = 2^−halvings e^x with |x| ≤ ½ ln 2, whose first part here has few bits: nothing of x is rounded away.
  let x = halvings * 0.693_359_375 - value - halvings * 2.121_944_4e-4
  let series = 1 + x * (1 + x * (1 / 2 + x * (1 / 6 + x * (1 / 24 + x * (1 / 120 + x * (1 / 720))))))
  return series * Float(bitPattern: (127 - UInt32(halvings)) << 23)
}
