/// Removes stripes from the sinogram of one detector row: detector pixels that are off for all or many angles, which
/// become rings in the slice.
///
/// After N. T. Vo, R. C. Atwood and M. Drakopoulos, Opt. Express 26 (2018) 28396–28412, on line integrals:
///
/// * columns that do not respond, or fluctuate (algorithms 6 and 4): those whose mean distance to their own running
///   mean over ten angles is out of line with that of their neighbours, are interpolated;
/// * stripes (algorithms 3 and 5): every column is sorted, and those of a stripe get what the sorted columns at both
///   sides say at the angles where they had the same rank.
///
/// The paper's way to find both takes sample for stripes where a clean sinogram changes fast or hardly, as around the
/// axis and at the sample's edge: whole disks and rings of a slice were replaced. So a column that does not respond
/// must also stand out from the lines through its neighbours at both sides, at many angles (`deviation`); and a stripe
/// is what stands out from both lines in the profile of median differences (`StripeProfile`). Medians over the columns
/// of the sorted sinogram, which smooth what is no stripe as well, are not taken.
package struct StripeFilter: Sendable {
  /// Angles of the sinogram.
  package let angles: Int
  /// Columns of the detector.
  package let columns: Int
  /// Columns over which medians are taken: twice the width of columns that may not respond, and of stripes.
  let windows: (small: Int, large: Int)

  private static let runningMean = 10
  static let signalToNoise = 3.0
  /// Columns at both sides through which a line is laid, and how much more than others one must stand out from it.
  private static let (beside, standingOut) = (3, 3.0)

  /// Medians are as wide as the paper's are for its detector, 21 and 51 of 2,560 columns, but not narrower than the
  /// stripes of a small one.
  package init(angles: Int, columns: Int) {
    precondition(angles > 0 && columns > 0, "a sinogram of \(angles) × \(columns)")
    self.angles = angles
    self.columns = columns
    windows = (max(9, columns / 122) | 1, max(25, columns / 50) | 1)
  }

  /// Bytes of scratch memory that `apply` needs: the sorted sinogram, what it should be, and where each value was.
  package var scratchByteCount: Int { 3 * angles * columns * MemoryLayout<Float>.stride }

  /// Filters one sinogram in place.
  /// - Parameters:
  ///   - sinogram: angles × columns finite line integrals, one angle after the other.
  ///   - scratch: `scratchByteCount` bytes, at a multiple of 4.
  package func apply(_ sinogram: UnsafeMutablePointer<Float>, scratch: UnsafeMutableRawPointer) {
    guard angles > 1, columns > 4 else { return }
    let count = angles * columns, sorted = scratch.assumingMemoryBound(to: Float.self)
    let sheet = Sheet(
      sorted: sorted, smooth: sorted + count, order: (scratch + 2 * count * 4).assumingMemoryBound(to: Int32.self))
    interpolateDeadColumns(sinogram)
    let profile = StripeProfile(sinogram, angles: angles, columns: columns)
    let stripes = profile.stripes(widthMax: windows.large / 2, near: 4 * windows.large + 1)
    guard !stripes.isEmpty else { return }
    bridge(stripes, sinogram, sheet)
  }

  /// A sinogram whose columns are sorted, a row a rank; for each column the angles in the order of their values, one
  /// column after the other.
  private struct Sheet {
    let sorted: UnsafeMutablePointer<Float>
    let smooth: UnsafeMutablePointer<Float>
    let order: UnsafeMutablePointer<Int32>
  }

  // MARK: Columns that do not respond, or fluctuate

  private func interpolateDeadColumns(_ sinogram: UnsafeMutablePointer<Float>) {
    let fluctuations = (0..<columns).map { fluctuation(sinogram + $0) }
    let standsOut = outOfLine(ratios(fluctuations, slidingMedian(fluctuations, window: windows.large)))
    let least = 1e-5 * UnsafeBufferPointer(start: sinogram, count: angles * columns).reduce(0) { max($0, abs($1)) }
    for dead in runs(standsOut, within: 1..<columns - 1) where isDead(dead, sinogram, least: Double(least)) {
      let (first, end) = (dead.lowerBound, dead.upperBound)
      for angle in 0..<angles {
        let row = sinogram + angle * columns, left = row[first - 1]
        let step = (row[end] - left) / Float(dead.count + 1)
        for column in dead { row[column] = left + step * Float(column - first + 1) }
      }
    }
  }

  /// Whether these columns stand out from the lines through their neighbours, as others beside them do not: the sample
  /// itself is faster or slower in some columns than in their neighbours.
  private func isDead(_ run: Range<Int>, _ sinogram: UnsafePointer<Float>, least: Double) -> Bool {
    guard run.count <= windows.small / 2 + 1 else { return false }
    let width = run.count
    let others = [
      run.lowerBound - width - 1, run.lowerBound - width - 2, run.upperBound + 1, run.upperBound + 2,
    ].map { deviation($0..<$0 + width, sinogram) }
    return deviation(run, sinogram) > Self.standingOut * max(others.max() ?? 0, least)
  }

  /// How much the worst of these columns stands out from the lines through those at both sides: the mean distance over
  /// all angles, less what it is at all of them, as that is a stripe; 0 at the detector's edges.
  private func deviation(_ run: Range<Int>, _ sinogram: UnsafePointer<Float>) -> Double {
    let left = max(0, run.lowerBound - Self.beside)..<max(0, run.lowerBound)
    let right = min(columns, run.upperBound)..<min(columns, run.upperBound + Self.beside)
    guard left.count > 1, right.count > 1 else { return 0 }
    return run.map { column in
      let distances = (0..<angles).map { angle in
        let row = UnsafeBufferPointer(start: sinogram + angle * columns, count: columns)
        return distance(
          Double(row[column]), at: Double(column), LineThrough(row, left), LineThrough(row, right))
      }
      let middle = distances.sorted()[angles / 2]
      return distances.reduce(0) { $0 + abs($1 - middle) } / Double(angles)
    }.max() ?? 0
  }

  private func runs(_ isInside: [Bool], within: Range<Int>) -> [Range<Int>] {
    var runs: [Range<Int>] = []
    for column in within where isInside[column] {
      if let last = runs.last, last.upperBound == column {
        runs[runs.count - 1] = last.lowerBound..<column + 1
      } else {
        runs.append(column..<column + 1)
      }
    }
    return runs
  }

  /// The mean distance of a column's values to their running mean.
  private func fluctuation(_ column: UnsafePointer<Float>) -> Double {
    let half = min(Self.runningMean, angles) / 2
    var sum = 0.0, running = 0.0
    // A window of `half` angles before and after, and the angle itself; shorter at the ends.
    for angle in 0..<min(half, angles) { running += Double(column[angle * columns]) }
    for angle in 0..<angles {
      if angle + half < angles { running += Double(column[(angle + half) * columns]) }
      if angle - half - 1 >= 0 { running -= Double(column[(angle - half - 1) * columns]) }
      let length = min(angle + half, angles - 1) - max(angle - half, 0) + 1
      sum += abs(Double(column[angle * columns]) - running / Double(length))
    }
    return sum / Double(angles)
  }

  // MARK: Stripes

  /// Gives the columns of stripes what lies between the sorted columns beside them.
  private func bridge(_ stripes: [Range<Int>], _ sinogram: UnsafeMutablePointer<Float>, _ sheet: Sheet) {
    let isStripe = Set(stripes.joined())
    let joined = runs((0..<columns).map(isStripe.contains), within: 0..<columns)
    for run in joined {
      let left = max(0, run.lowerBound - Self.beside)..<run.lowerBound
      let right = run.upperBound..<min(columns, run.upperBound + Self.beside)
      let (near, far) = (left.filter { !isStripe.contains($0) }, right.filter { !isStripe.contains($0) })
      guard !near.isEmpty, !far.isEmpty else { continue }
      sort(near + run + far, sinogram, sheet)
      let (start, end) = (mean(near), mean(far))
      for rank in 0..<angles {
        let row = sheet.sorted + rank * columns
        let (low, high) = (mean(near.map { Double(row[$0]) }), mean(far.map { Double(row[$0]) }))
        for column in run {
          sheet.smooth[rank * columns + column] = Float(low + (high - low) * (Double(column) - start) / (end - start))
        }
      }
      for column in run { putBack(column, sheet, sinogram) }
    }
  }

  private func mean(_ values: [Int]) -> Double { mean(values.map { Double($0) }) }

  private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

  // MARK: Sorted sinograms

  private func sort(_ some: [Int], _ sinogram: UnsafePointer<Float>, _ sheet: Sheet) {
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: angles) { memory in
      var keys = memory
      for column in some {
        for angle in 0..<angles {
          // Ordered as the values are, and equal values as the angles.
          let bits = (sinogram[angle * columns + column] + 0).bitPattern
          keys[angle] = UInt64(bits >> 31 == 0 ? bits | 1 << 31 : ~bits) << 32 | UInt64(angle)
        }
        keys.sort()
        for rank in 0..<angles {
          let angle = Int(keys[rank] & 0xffff_ffff)
          sheet.sorted[rank * columns + column] = sinogram[angle * columns + column]
          sheet.order[column * angles + rank] = Int32(angle)
        }
      }
    }
  }

  private func putBack(_ column: Int, _ sheet: Sheet, _ sinogram: UnsafeMutablePointer<Float>) {
    for rank in 0..<angles {
      sinogram[Int(sheet.order[column * angles + rank]) * columns + column] = sheet.smooth[rank * columns + column]
    }
  }

  // MARK: What is out of line

  /// Value over reference; 1 where the reference is so small that the ratio says nothing.
  private func ratios(_ values: [Double], _ references: [Double]) -> [Double] {
    let least = 0.01 * (references.lazy.map { abs($0) }.max() ?? 0)
    return zip(values, references).map { abs($1) > least ? $0 / $1 : 1 }
  }

  private func slidingMedian(_ values: [Double], window: Int) -> [Double] {
    var output = [Float](repeating: 0, count: values.count)
    var sliding = SlidingMedian(window: window)
    values.map { Float($0) }.withUnsafeBufferPointer { sliding.apply($0.baseAddress!, count: $0.count, into: &output) }
    return output.map { Double($0) }
  }
}

/// Which values stand out from the others, and their neighbours on both sides.
///
/// Algorithm 4 of the paper at ``StripeFilter``: the middle half of the sorted values is fitted by a line, whose rise
/// from the first to the last value is the noise; values stand out above its end or below its beginning by more than
/// half of `signalToNoise` times the noise, if the outermost one does by `signalToNoise` times.
func outOfLine(_ values: [Double], signalToNoise: Double = StripeFilter.signalToNoise) -> [Bool] {
  let sorted = values.sorted(), count = values.count
  let middle = count / 4..<max(count / 4 + 2, count - count / 4)
  guard let least = sorted.first, let greatest = sorted.last, middle.upperBound <= count else {
    return values.map { _ in false }
  }
  let centre = Double(middle.lowerBound + middle.upperBound - 1) / 2
  let mean = sorted[middle].reduce(0, +) / Double(middle.count)
  let slope =
    middle.reduce(0) { $0 + (Double($1) - centre) * (sorted[$1] - mean) }
    / middle.reduce(0) { $0 + (Double($1) - centre) * (Double($1) - centre) }
  let (first, last) = (mean - slope * centre, mean + slope * (Double(count - 1) - centre))
  // Rounding is no noise.
  let noise = max(last - first, 1e-5 * abs(mean))
  let upper = greatest - last > signalToNoise * noise ? last + signalToNoise * noise / 2 : .infinity
  let lower = first - least > signalToNoise * noise ? first - signalToNoise * noise / 2 : -.infinity
  let standsOut = values.map { $0 > upper || $0 < lower }
  return standsOut.indices.map { index in
    standsOut[max(0, index - 1)] || standsOut[index] || standsOut[min(count - 1, index + 1)]
  }
}
