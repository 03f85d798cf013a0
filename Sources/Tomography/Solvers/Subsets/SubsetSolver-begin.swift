import KernelTypes

// The start of a block: filtered backprojection, and what the weight's rule needs.
extension SubsetSolver {
  /// Begins a block. `sinogram` holds exactly this one, with `slots` slots, and stays as it is until `finish`.
  /// `noise[lane]` is σ of a line integral in each of the block's rows; where it is nil, or not above zero, it comes
  /// from the residual. Of a slab `slab` says which slices it has.
  package func begin(
    block: Int, slab: Slab? = nil, sinogram: UnsafeRawPointer, slots: Int, noise: [Float]?, executor: some Executor
  ) {
    attach(block: block, slab: slab, sinogram: sinogram, slots: slots, executor)
    let rows = layout.rows(of: blocks)
    precondition(
      noise.map { $0.count == rows.count } ?? true, "the noise of \(noise?.count ?? 0) of \(rows.count) rows")
    backprojectFiltered(executor)
    executor.share(count: rows.count, workers: min(executor.width, workers)) { worker, lane in
      let given = noise?[lane] ?? 0, samples = memory.samples(worker: worker)
      let scale = scale(lane: lane, samples)
      let isGiven = given > 0 && given.isFinite
      let sigma = isGiven ? given : neighbourNoise(lane: lane, samples)
      state.lanes[lane] = SubsetState.Lane(
        scale: scale, noise: sigma,
        weight: weight(lane: lane, scale: scale, noise: sigma, gradient: rule.firstGradient(scale: scale)),
        isNoiseGiven: isGiven)
    }
    cutAtZero(executor)
    chooseFloat(executor)
  }

  /// Takes a block's sinogram, with nothing done for it yet.
  func attach(block: Int, slab: Slab?, sinogram: UnsafeRawPointer, slots: Int, _ executor: some Executor) {
    precondition((0..<layout.blockCount).contains(block), "block \(block) of \(layout.blockCount)")
    precondition(angles.allSatisfy { $0.slot < slots }, "an angle lies beyond the \(slots) slots")
    prepareWeights(executor)
    self.sinogram = (sinogram, slots)
    let rows = layout.rows(of: block..<block + 1).count
    self.slab = slab ?? Slab(count: rows, own: 0..<rows)
    precondition(
      self.slab.count <= rows && self.slab.own.upperBound <= self.slab.count, "\(self.slab) of \(rows) slices")
    state.begin(block: block)
    // A narrower block's rows lie elsewhere.
    for volume in memory.volumes(dimensions: options.dimensions) {
      clear(volume, grid.volumeBlockByteCount, executor)
    }
    for residuals in isMixed ? [memory.residuals, memory.floats] : [memory.residuals] {
      clear(residuals, grid.sinogramBlockByteCount(slots: residualSlots), executor)
    }
    meanWeights = findMeanWeights(executor)
  }

  private func clear(_ start: UnsafeMutableRawPointer, _ byteCount: Int, _ executor: some Executor) {
    let piece = 1 << 20
    executor.forEach(count: (byteCount + piece - 1) / piece) { index in
      (start + index * piece).initializeMemory(
        as: UInt8.self, repeating: 0, count: min(piece, byteCount - index * piece))
    }
  }

  /// y = Σ Δθ Aᵀ(h ∗ b), subset by subset, with Hann's window. Beyond the detector's edges rows go on as they end
  /// there: a sample that leaves the detector would make a bright ring.
  private func backprojectFiltered(_ executor: some Executor) {
    let weights = angularWeights(angles.map(\.theta), period: layout.period).map(Float.init)
    // Ones for every row of the slice.
    let ones = memory.samples(worker: 0)
    ones.update(repeating: 1, count: grid.columns + 16)
    for index in 0..<schedule.count {
      let subset = schedule.subsets[index], pairs = (subset.count + 1) / 2
      executor.share(count: pairs, workers: min(executor.width, workers)) { worker, pair in
        filter(subset, weights, pair: pair, worker: worker)
      }
      correct(passes[index], residuals: memory.residuals, scales: ones, pitch: 0, executor)
    }
  }

  /// Δθ (h ∗ b) of two angles of a subset.
  private func filter(_ subset: [Int], _ weights: [Float], pair: Int, worker: Int) {
    let shape = grid.shape(block: state.block), pixel = shape.pixelByteCount, measured = grid.measured
    let first = 2 * pair, second = first + 1 < subset.count ? first + 1 : nil
    for index in [first, second].compactMap({ $0 }) {
      let bins = residualRow(index), data = data(angle: subset[index])
      grid.clearMargins(of: bins, block: state.block)
      (bins + measured.lowerBound * pixel).copyMemory(from: data, byteCount: measured.count * pixel)
      for bin in 0..<measured.lowerBound { (bins + bin * pixel).copyMemory(from: data, byteCount: pixel) }
      for bin in measured.upperBound..<grid.columns {
        (bins + bin * pixel).copyMemory(from: data + (measured.count - 1) * pixel, byteCount: pixel)
      }
    }
    for lane in stride(from: 0, to: shape.lanes, by: RowFilter.lanes) {
      let offset = lane * MemoryLayout<Float>.stride
      let a = residualRow(first) + offset, b = second.map { residualRow($0) + offset }
      filter.apply(
        a, b.map { UnsafeRawPointer($0) }, pitch: pixel, into: (a, b),
        weights: (weights[subset[first]], second.map { weights[subset[$0]] } ?? 0), worker: worker)
    }
  }

  /// x = y = max(0, y), and 0 outside the mask.
  private func cutAtZero(_ executor: some Executor) {
    let shape = grid.shape(block: state.block), offset = grid.pixelOffset(block: state.block)
    let iterate = volume(memory.iterate) + offset, previous = volume(memory.previous) + offset
    executor.forEach(count: grid.columns) { row in
      let start = row * shape.volumePitch * shape.pixelByteCount, inside = mask.columns(row: row)
      let line = (iterate + start).assumingMemoryBound(to: Float.self)
      for index in 0..<grid.columns * shape.lanes {
        let value = line[index]
        // Not max, which would hide a NaN.
        line[index] = value < 0 || !inside.contains(index / shape.lanes) ? 0 : value
      }
      (previous + start).copyMemory(from: line, byteCount: grid.columns * shape.pixelByteCount)
    }
  }
}

// What the weight's rule looks at.
extension SubsetSolver {
  /// λ of a slice, with the options' factor or value.
  func weight(lane: Int, scale: Float, noise: Float, gradient: Float) -> Float {
    let ruled = rule.weight(scale: scale, noise: noise, gradient: gradient) * meanWeights[lane]
    switch options.weight {
    case .rule(let factor): return ruled * min(factor, SubsetOptions.factorMax)
    case .detail: return ruled * SubsetOptions.detailFactor(columns: layout.columns)
    case .fixed(let weight): return min(weight, ruled * SubsetOptions.factorMax)
    }
  }

  /// The 99th percentile of y in the disc.
  private func scale(lane: Int, _ memory: UnsafeMutablePointer<Float>) -> Float {
    let shape = grid.shape(block: state.block)
    let slice = (volume(self.memory.iterate) + grid.pixelOffset(block: state.block)).assumingMemoryBound(to: Float.self)
    var count = 0
    for row in samples.rows {
      let line = slice + row.row * shape.volumePitch * shape.lanes + lane
      for column in row.columns {
        memory[count] = line[column * shape.lanes]
        count += 1
      }
    }
    return select((count - 1) * 99 / 100, of: memory, count: count)
  }

  /// Where nothing is known of the noise: the smaller of two estimates from second differences of line integrals,
  /// between neighbouring bins and between neighbouring angles. σ = 1.4826 median |a − 2 b + c| / √6; edges make it too
  /// large.
  private func neighbourNoise(lane: Int, _ memory: UnsafeMutablePointer<Float>) -> Float {
    let order = schedule.order, columns = layout.measured.count
    let angleStep = (order.count + 127) / 128, binStep = (columns + 511) / 512
    let lanes = layout.lanes(block: state.block)
    func median(angles: Range<Int>, bins: Range<Int>, _ difference: (_ angle: Int, _ bin: Int) -> Float) -> Float? {
      var count = 0
      for angle in stride(from: angles.lowerBound, to: angles.upperBound, by: angleStep) {
        for bin in stride(from: bins.lowerBound, to: bins.upperBound, by: binStep) {
          memory[count] = abs(difference(angle, bin))
          count += 1
        }
      }
      return count == 0 ? nil : 1.4826 * select(count / 2, of: memory, count: count) / Float(6).squareRoot()
    }
    func value(_ angle: Int, _ bin: Int) -> Float {
      data(angle: order[angle]).assumingMemoryBound(to: Float.self)[bin * lanes + lane]
    }
    let acrossBins = median(angles: 0..<order.count, bins: 1..<max(1, columns - 1)) {
      value($0, $1 - 1) - 2 * value($0, $1) + value($0, $1 + 1)
    }
    let acrossAngles = median(angles: 1..<max(1, order.count - 1), bins: 0..<columns) {
      value($0 - 1, $1) - 2 * value($0, $1) + value($0 + 1, $1)
    }
    return min(acrossBins ?? acrossAngles ?? 0, acrossAngles ?? acrossBins ?? 0)
  }

  /// Takes the sweep's residuals and, from the third one on, the picture's gradient, and sets the next sweep's weights.
  func endSweep(_ sweep: Int, _ executor: some Executor) {
    let rays = Double(angles.count * layout.measured.count)
    if sweep >= 2 { executor.forEach(count: samples.rows.count) { addGradients(row: $0) } }
    for lane in 0..<layout.rows(of: blocks).count {
      var slice = state.lanes[lane]
      let residual = Float((slice.residualSquared / rays).squareRoot())
      slice.residualSquared = 0
      slice.residual = residual
      if sweep < sweepCount - 1 {
        if !slice.isNoiseGiven { slice.noise = sweep == 0 ? min(residual, slice.noise) : residual }
        var gradient = rule.firstGradient(scale: slice.scale)
        if sweep >= 2 {
          let sum = samples.rows.indices.reduce(0.0) { $0 + memory.gradients(row: $1)[lane] }
          gradient = Float(sum / Double(samples.count))
        }
        slice.weight = weight(lane: lane, scale: slice.scale, noise: slice.noise, gradient: gradient)
      }
      state.lanes[lane] = slice
    }
  }

  /// Sums of |∇x| over the pixels of a row that are looked at.
  private func addGradients(row index: Int) {
    let row = samples.rows[index], shape = grid.shape(block: state.block), lanes = shape.lanes
    let slice = volume(memory.previous) + grid.pixelOffset(block: state.block)
    let line = slice.assumingMemoryBound(to: Float.self) + row.row * shape.volumePitch * lanes
    let sums = memory.gradients(row: index)
    sums.update(repeating: 0, count: lanes)
    for column in row.columns {
      let here = line + column * lanes, right = here + lanes, below = here + shape.volumePitch * lanes
      for lane in 0..<lanes {
        let a = right[lane] - here[lane], b = below[lane] - here[lane]
        sums[lane] += Double((a * a + b * b).squareRoot())
      }
    }
  }
}
