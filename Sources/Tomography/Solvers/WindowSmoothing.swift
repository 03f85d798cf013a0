import Glibc
internal import KernelTypes

/// Total variation steps between the updates of spread windows: a volume of few projections a voxel is noise and
/// streaks, and the edges that it has are worth more than its grey levels.
///
/// The weight of a slice is λ = k / 2 · m · 8.4e-4 · (128 σ / (m N))^0.7 · (n / 180)^−0.25 for the k updates that lie
/// between two smoothings, with n = 20 … the projections of a half turn of which so many have come. σ, the noise of a
/// line integral, is the median of |b(i−2) − 4 b(i−1) + 6 b(i) − 4 b(i+1) + b(i+2)| over projections of the update,
/// divided by 0.6745 √70 (the median of D. L. Donoho and I. M. Johnstone, Biometrika 81, 1994, 425–455): it needs no
/// flat fields, counts filters and binning, and passes over bins at edges of the sample. Of a dense foam it is 1.5
/// times what photons alone are at 128 columns, and 1.1 times at 256. m is the 99th percentile of the slice itself.
/// Both are a slice's own, so its weight does not depend on the rows beside it. All memory is allocated when it is
/// made.
package final class WindowSmoothing {
  /// How often, and how thoroughly.
  package struct Schedule: Sendable, Equatable {
    /// Updates from one smoothing to the next.
    package let updates: Int
    /// Steps on the dual, each time from none.
    let innerSteps: Int

    /// What runs do.
    package static let standard = Schedule(updates: 12, innerSteps: 2)

    /// `updates` ≥ 1, and 1…8 `innerSteps`.
    package init(updates: Int, innerSteps: Int) {
      precondition(updates >= 1, "smoothing every \(updates) updates")
      (self.updates, self.innerSteps) = (updates, innerSteps)
    }

    /// Whether the volume is smoothed after update number `update`.
    package func isDue(after update: Int) -> Bool { (update + 1) % updates == 0 }
  }

  /// Projections of the noise, bins of them, and voxels of the scale that are looked at, at most.
  private static let projectionsMax = 3
  private static let samplesMax = 2048

  private let schedule: Schedule
  private let layout: SliceLayout
  private let mask: DiskMask
  private let nonNegative: Bool
  private let step: TotalVariationStep
  private let memory: ScratchMemory
  private var weights: [Float]

  init(layout: SliceLayout, options: SIRTOptions, schedule: Schedule, threads: Int, level: Int?) {
    self.schedule = schedule
    self.layout = layout
    mask = DiskMask(columns: layout.columns, isDisk: options.diskMask)
    nonNegative = options.nonNegative
    step = TotalVariationStep(layout: layout, innerSteps: schedule.innerSteps, threads: threads, level: level)
    memory = ScratchMemory(byteCount: Self.samplesByteCount(layout))
    weights = Array(repeating: 0, count: layout.rows)
  }

  /// Bytes that `init` with the same arguments would allocate.
  static func byteCount(layout: SliceLayout, threads: Int) -> Int {
    TotalVariationStep.byteCount(layout: layout, innerSteps: Schedule.standard.innerSteps, threads: threads)
      + samplesByteCount(layout)
  }

  private static func samplesByteCount(_ layout: SliceLayout) -> Int {
    layout.rows * samplesMax * MemoryLayout<Float>.stride
  }

  /// λ for a line integral's noise σ and a slice's scale m, both in the same unit of length, when `seen` projections
  /// have come of a scan with so many in a half turn.
  static func weight(
    noise: Float, scale: Float, columns: Int, seen: Int, projectionsPerHalfTurn: Int,
    updates: Int = Schedule.standard.updates
  ) -> Float {
    guard noise > 0, scale > 0 else { return 0 }
    let relative = 128 * Double(noise) / (Double(scale) * Double(columns))
    let count = Double(max(min(max(seen, 20), projectionsPerHalfTurn), 1))
    return Float(Double(scale) * 0.5 * Double(updates) * 8.4e-4 * pow(relative, 0.7) * pow(count / 180, -0.25))
  }

  /// Smooths all slices of `volume`, which an update over `angles` made, when `seen` projections had come. `sinogram`
  /// holds all blocks.
  package func apply(
    _ volume: UnsafeMutableRawPointer, sinogram: UnsafeRawPointer, slots: Int, angles: [WindowAngle], seen: Int,
    spread: AngularSpread, executor: some Executor
  ) {
    let looked = angles.prefix(Self.projectionsMax), layout = self.layout, updates = schedule.updates
    // Sound: each item writes its own samples and its own weight.
    nonisolated(unsafe) let samples = memory.start.assumingMemoryBound(to: Float.self)
    weights.withUnsafeMutableBufferPointer { weights in
      nonisolated(unsafe) let weights = weights
      executor.forEach(count: layout.rows) { row in
        let own = samples + row * Self.samplesMax
        let noise = Self.noise(row, sinogram, slots, looked, layout, own)
        weights[row] = Self.weight(
          noise: noise, scale: Self.scale(row, volume, layout, own), columns: layout.columns, seen: seen,
          projectionsPerHalfTurn: spread.projectionsPerHalfTurn, updates: updates)
      }
    }
    let blocks = 0..<layout.blockCount
    step.denoise(volume, blocks: blocks, weights: weights, nonNegative: nonNegative, executor: executor)
    if mask.isDisk { clearOutside(volume, executor) }
  }

  /// σ of a row's line integrals in some projections.
  private static func noise(
    _ row: Int, _ sinogram: UnsafeRawPointer, _ slots: Int, _ angles: ArraySlice<WindowAngle>, _ layout: SliceLayout,
    _ samples: UnsafeMutablePointer<Float>
  ) -> Float {
    let block = row / layout.lanes, lanes = layout.lanes(block: block), blocks = 0..<layout.blockCount
    let width = layout.measured.count - 4, places = width * angles.count
    guard places > 0 else { return 0 }
    let step = max(1, (places + samplesMax - 1) / samplesMax)
    var count = 0
    for place in stride(from: 0, to: places, by: step) {
      let angle = angles[angles.startIndex + place / width], bin = layout.measured.lowerBound + place % width
      let offset = layout.binOffset(block: block, of: blocks, slot: angle.slot, slots: slots)
      let bins = (sinogram + offset).assumingMemoryBound(to: Float.self) + bin * lanes + row % layout.lanes
      let difference = abs(bins[0] - 4 * (bins[lanes] + bins[3 * lanes]) + 6 * bins[2 * lanes] + bins[4 * lanes])
      samples[count] = difference.isFinite ? difference : 0
      count += 1
    }
    return select(count / 2, of: samples, count: count) / (0.6745 * Float(70).squareRoot())
  }

  /// The 99th percentile of a slice in its inscribed disk.
  private static func scale(
    _ row: Int, _ volume: UnsafeRawPointer, _ layout: SliceLayout, _ samples: UnsafeMutablePointer<Float>
  ) -> Float {
    let block = row / layout.lanes, shape = layout.shape(block: block), half = Double(layout.columns) / 2
    let pixels = (volume + layout.pixelOffset(block: block)).assumingMemoryBound(to: Float.self) + row % layout.lanes
    // Of the square around the disk every `step`-th row and column: at most `samplesMax` voxels.
    let step = max(1, (layout.columns + samplesEdge - 1) / samplesEdge)
    var count = 0
    for y in stride(from: step / 2, to: layout.columns, by: step) {
      for x in stride(from: step / 2, to: layout.columns, by: step) {
        let (dx, dy) = (Double(x) + 0.5 - half, Double(y) + 0.5 - half)
        guard dx * dx + dy * dy < half * half else { continue }
        let value = pixels[(y * shape.volumePitch + x) * shape.lanes]
        samples[count] = value.isFinite ? value : 0
        count += 1
      }
    }
    return count == 0 ? 0 : select((count - 1) * 99 / 100, of: samples, count: count)
  }

  private static let samplesEdge = 45

  private func clearOutside(_ volume: UnsafeMutableRawPointer, _ executor: some Executor) {
    let (layout, mask) = (layout, mask)
    nonisolated(unsafe) let volume = volume
    executor.forEach(count: layout.blockCount * layout.columns) { item in
      let block = item / layout.columns, row = item % layout.columns, shape = layout.shape(block: block)
      let line = volume + layout.pixelOffset(block: block) + row * shape.volumePitch * shape.pixelByteCount
      let inside = mask.columns(row: row)
      func clear(_ columns: Range<Int>) {
        (line + columns.lowerBound * shape.pixelByteCount).initializeMemory(
          as: UInt8.self, repeating: 0, count: columns.count * shape.pixelByteCount)
      }
      clear(0..<inside.lowerBound)
      clear(inside.upperBound..<layout.columns)
    }
  }
}
