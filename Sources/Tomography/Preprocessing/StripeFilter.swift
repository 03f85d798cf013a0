/// Removes stripes from the sinogram of one detector row: detector pixels that are off for all or many angles, which
/// become rings in the slice.
///
/// N. T. Vo, R. C. Atwood and M. Drakopoulos, Opt. Express 26 (2018) 28396–28412, three of its algorithms one after the
/// other, on line integrals:
///
/// * columns that do not respond, or fluctuate (algorithm 6): those whose mean distance to their own running mean over
///   ten angles is out of line with that of their neighbours, are interpolated;
/// * large stripes (algorithm 5): every column is sorted, a median over columns gives what the sorted columns should
///   be, and columns whose ratio to that, over the middle 90 % of ranks, is out of line, get those values at the angles
///   where they had the same rank;
/// * small and medium stripes (algorithm 3): the same with a smaller median, for all columns.
///
/// What is out of line is found by algorithm 4 with a signal-to-noise ratio of 3. The order of the angles matters to
/// the first step alone, and there it hardly does.
package struct StripeFilter: Sendable {
  /// Angles of the sinogram.
  package let angles: Int
  /// Columns of the detector.
  package let columns: Int
  /// Columns over which medians are taken: for small stripes, and for large ones and to find them.
  let windows: (small: Int, large: Int)

  private static let runningMean = 10
  static let signalToNoise = 3.0
  /// Ranks at both ends of a sorted column that are left out of its ratio.
  private static let dropped = 0.05

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
    replaceLargeStripes(sinogram, sheet)
    sort(sinogram, sheet)
    smooth(sheet, window: windows.small)
    for column in 0..<columns { putBack(column, sheet, sinogram) }
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
    var isDead = outOfLine(ratios(fluctuations, slidingMedian(fluctuations, window: windows.large)))
    (isDead[0], isDead[columns - 1]) = (false, false)
    var column = 1
    while column < columns {
      guard isDead[column] else {
        column += 1
        continue
      }
      var end = column
      while isDead[end] { end += 1 }
      for angle in 0..<angles {
        let row = sinogram + angle * columns, left = row[column - 1], step = (row[end] - left) / Float(end - column + 1)
        for dead in column..<end { row[dead] = left + step * Float(dead - column + 1) }
      }
      column = end
    }
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

  // MARK: Large stripes

  private func replaceLargeStripes(_ sinogram: UnsafeMutablePointer<Float>, _ sheet: Sheet) {
    sort(sinogram, sheet)
    smooth(sheet, window: windows.large)
    let drop = Int(Self.dropped * Double(angles))
    func means(_ sheet: UnsafePointer<Float>) -> [Double] {
      var sums = [Double](repeating: 0, count: columns)
      for rank in drop..<angles - drop {
        for column in 0..<columns { sums[column] += Double(sheet[rank * columns + column]) }
      }
      return sums
    }
    let isStripe = outOfLine(ratios(means(sheet.sorted), means(sheet.smooth)))
    for column in 0..<columns where isStripe[column] { putBack(column, sheet, sinogram) }
  }

  // MARK: Sorted sinograms

  private func sort(_ sinogram: UnsafePointer<Float>, _ sheet: Sheet) {
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: angles) { memory in
      var keys = memory
      for column in 0..<columns {
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

  private func smooth(_ sheet: Sheet, window: Int) {
    var sliding = SlidingMedian(window: window)
    for rank in 0..<angles {
      sliding.apply(sheet.sorted + rank * columns, count: columns, into: sheet.smooth + rank * columns)
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

/// The median of a window that slides along a line; beyond its ends the outermost values are repeated. Values are
/// finite.
struct SlidingMedian {
  private let window: Int
  /// The window's values in order.
  private var ordered: [Float]

  /// An odd window.
  init(window: Int) {
    precondition(window > 0 && window % 2 == 1, "a median of \(window)")
    self.window = window
    ordered = Array(repeating: 0, count: window)
  }

  mutating func apply(_ values: UnsafePointer<Float>, count: Int, into output: UnsafeMutablePointer<Float>) {
    let half = window / 2
    for index in 0..<window { ordered[index] = values[min(max(index - half, 0), count - 1)] }
    ordered.sort()
    ordered.withUnsafeMutableBufferPointer { [window] ordered in
      output[0] = ordered[half]
      for index in 1..<max(1, count) {
        Self.replace(
          values[max(index - 1 - half, 0)], by: values[min(index + half, count - 1)], in: ordered.baseAddress!,
          count: window)
        output[index] = ordered[half]
      }
    }
  }

  /// Takes one value out of the ordered window and puts another in.
  private static func replace(_ old: Float, by new: Float, in ordered: UnsafeMutablePointer<Float>, count: Int) {
    var (low, high) = (0, count - 1)
    while low < high {
      let middle = (low + high) / 2
      if ordered[middle] < old { low = middle + 1 } else { high = middle }
    }
    while low + 1 < count, ordered[low + 1] < new {
      ordered[low] = ordered[low + 1]
      low += 1
    }
    while low > 0, ordered[low - 1] > new {
      ordered[low] = ordered[low - 1]
      low -= 1
    }
    ordered[low] = new
  }
}
