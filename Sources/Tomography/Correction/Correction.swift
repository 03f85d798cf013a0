package import Host

/// How many pixels of one projection had to be replaced. Dead pixels are counted once, in `Correction.deadPixelCount`,
/// and not here.
package struct CorrectionCounts: Sendable, Equatable {
  /// Pixels that were NaN or infinite, replaced by their neighbours.
  package var nonFinite: Int
  /// Pixels whose transmission was below `Correction.transmissionFloor`, raised to it.
  package var clamped: Int
  /// Line integrals below zero, raised to it where that was asked for.
  package var negative: Int

  /// Counts as given.
  package init(nonFinite: Int = 0, clamped: Int = 0, negative: Int = 0) {
    self.nonFinite = nonFinite
    self.clamped = clamped
    self.negative = negative
  }

  /// Adds the counts of another projection or range of rows.
  package static func += (total: inout CorrectionCounts, counts: CorrectionCounts) {
    total.nonFinite += counts.nonFinite
    total.clamped += counts.clamped
    total.negative += counts.negative
  }
}

/// Turns counts into line integrals: −log((counts − dark) / (flat − dark)), for the rows that one worker owns.
///
/// The result of a pixel depends on its detector row alone, and the logarithm is our own (`minusLog`), so the bits are
/// the same for every division of rows among workers and on every machine.
package struct Correction: Sendable {
  /// The smallest transmission: 2⁻¹⁷, half of one count in the full scale of a 16-bit detector, that is a line integral
  /// of 11.8.
  ///
  /// Nothing below it was measured: half a count is what a pixel reads as zero. Noise around a nearly opaque path does
  /// give zero and negative differences, whose logarithm does not exist, so they are taken to be this.
  static let transmissionFloor: Float = 0x1p-17

  /// Detector rows in a projection given to `apply`.
  let rows: Int
  /// Detector columns.
  let columns: Int
  /// Pixels whose flat − dark is not positive, or that had no finite flat or dark: they are interpolated in every
  /// projection.
  package let deadPixelCount: Int
  private let minusLog: Bool
  private let nonNegative: Bool
  private let darks: [Float]
  private let divisors: [Float]  // flat − dark; NaN where the pixel is dead
  /// What flat − dark becomes more from the first projection to the last; none where it stays.
  private let changes: [Float]
  private let deadPixelCounts: [Int]  // a row

  /// A correction for `rows` × `columns` pixels.
  ///
  /// - Parameters:
  ///   - flats: the averaged flat and dark fields of exactly these pixels. Without flat fields nothing is divided, and
  ///     the difference
  ///     counts − dark is taken as it is; without dark fields the dark is 0.
  ///   - minusLog: whether the negative logarithm is taken. Without it values may have any sign and are not clamped.
  ///   - ends: the flat fields before the projections, and those behind them, where each projection is to be divided by
  ///     what lies between these at its time. Nil, or one of them without flat fields, for the mean of all.
  ///   - nonNegative: whether results below zero, which noise makes where there is no sample, become zero.
  package init(
    rows: Int, columns: Int, flats: FlatDarkAccumulator,
    ends: (before: FlatDarkAccumulator, behind: FlatDarkAccumulator)? = nil, minusLog: Bool, nonNegative: Bool = false
  ) {
    precondition(
      rows == flats.rows && columns == flats.columns,
      "fields of \(flats.rows) × \(flats.columns) for \(rows) × \(columns)")
    self.rows = rows
    self.columns = columns
    self.minusLog = minusLog
    self.nonNegative = nonNegative
    let (flatMeans, darkMeans) = (flats.flatMeans(), flats.darkMeans())
    darks = darkMeans.map { Float($0) }
    func differences(_ flatMeans: [Double]) -> [Float] {
      zip(flatMeans, darkMeans).map { flat, dark in
        let divisor = Float(flats.flatCount == 0 ? (dark.isNaN ? .nan : 1) : flat - dark)
        return divisor > 0 ? divisor : .nan
      }
    }
    if let ends, ends.before.flatCount > 0, ends.behind.flatCount > 0 {
      let (before, behind) = (differences(ends.before.flatMeans()), differences(ends.behind.flatMeans()))
      divisors = zip(before, behind).map { $1.isNaN ? .nan : $0 }
      changes = zip(before, behind).map { $1 - $0 }
    } else {
      (divisors, changes) = (differences(flatMeans), [])
    }
    let divisors = divisors
    deadPixelCounts = (0..<rows).map { row in divisors[row * columns..<(row + 1) * columns].count { $0.isNaN } }
    deadPixelCount = deadPixelCounts.reduce(0, +)
  }

  /// Corrects one projection's rows.
  ///
  /// A pixel that is dead, silent, NaN or infinite becomes the mean of the nearest valid pixels left and right of it in
  /// its detector row, the only one there is at the edges, or 0 in a row without any.
  ///
  /// - Parameters:
  ///   - counts: `rows` × `columns` pixels, row by row, at any alignment.
  ///   - output: `rows` × `columns` floats, row by row; must not overlap `counts`.
  ///   - silent: what is known of silent pixels; nil for nothing.
  ///   - number: the projection's among those that were looked at for these, or any higher one.
  ///   - time: when it was taken, from 0 for the first projection to 1 for the last.
  ///   - counted: rows whose pixels are counted; nil for all.
  /// - Returns: how many pixels were replaced.
  package func apply(
    _ counts: UnsafeRawPointer, type: PixelType, into output: UnsafeMutablePointer<Float>,
    silent: SilentPixels? = nil, number: Int = .max, time: Float = 0.5, counted: Range<Int>? = nil
  ) -> CorrectionCounts {
    var total = CorrectionCounts()
    for row in 0..<rows {
      // A row stays in the first-level cache from pass to pass.
      let line = output + row * columns
      let invalidCount = transmissions(counts, type: type, row: row, time: time, into: line)
      let silenced = silent?.silence(line, row: row, number: number) ?? 0
      var counts = CorrectionCounts(nonFinite: invalidCount - deadPixelCounts[row])
      if minusLog { counts.clamped = Tomography.minusLog(line, count: columns, floor: Self.transmissionFloor) }
      if invalidCount + silenced > 0 { fillGaps(line, count: columns) }
      if nonNegative { counts.negative = raiseToZero(line, count: columns) }
      if counted?.contains(row) ?? true { total += counts }
    }
    return total
  }

  /// The transmissions of a row of a projection, NaN where there is none. Returns how many of these there are.
  @discardableResult
  func transmissions(
    _ counts: UnsafeRawPointer, type: PixelType, row: Int, time: Float = 0.5, into line: UnsafeMutablePointer<Float>
  ) -> Int {
    let first = row * columns
    type.widen(counts + first * type.byteCount, count: columns, into: line)
    guard changes.isEmpty else { return divide(line, first: first, time: time) }
    return darks.withUnsafeBufferPointer { darks in
      divisors.withUnsafeBufferPointer { divisors in
        // `rows` × `columns` elements lie behind both.
        normalise(line, darks: darks.baseAddress! + first, divisors: divisors.baseAddress! + first, count: columns)
      }
    }
  }

  /// The same with the flat field at a time.
  private func divide(_ line: UnsafeMutablePointer<Float>, first: Int, time: Float) -> Int {
    withUnsafeTemporaryAllocation(of: Float.self, capacity: columns) { divisors in
      for column in 0..<columns {
        divisors[column] = self.divisors[first + column] + changes[first + column] * time
      }
      return darks.withUnsafeBufferPointer { darks in
        normalise(line, darks: darks.baseAddress! + first, divisors: divisors.baseAddress!, count: columns)
      }
    }
  }

  /// Whether no projection has a value for a pixel.
  func isDead(_ pixel: Int) -> Bool { divisors[pixel].isNaN }
}

/// value ← (value − dark) / divisor, where a result that is not finite becomes NaN. Returns how many did.
private func normalise(
  _ values: UnsafeMutablePointer<Float>, darks: UnsafePointer<Float>, divisors: UnsafePointer<Float>, count: Int
) -> Int {
  var invalidCount: Int32 = 0
  var index = 0
  while index < count {
    let value = (values[index] - darks[index]) / divisors[index]
    values[index] = value.isFinite ? value : .nan
    invalidCount &+= value.isFinite ? 0 : 1
    index &+= 1
  }
  return Int(invalidCount)
}

/// Replaces each run of NaN by the mean of the values at its two ends, by the one there is, or by 0.
private func fillGaps(_ values: UnsafeMutablePointer<Float>, count: Int) {
  var index = 0
  while index < count {
    guard values[index].isNaN else {
      index += 1
      continue
    }
    var end = index
    while end < count, values[end].isNaN { end += 1 }
    let left = index > 0 ? values[index - 1] : nil
    let right = end < count ? values[end] : nil
    let fill = ((left ?? right ?? 0) + (right ?? left ?? 0)) / 2
    (values + index).update(repeating: fill, count: end - index)
    index = end
  }
}

/// Values ← max(0, value). Returns how many were below zero.
private func raiseToZero(_ values: UnsafeMutablePointer<Float>, count: Int) -> Int {
  var negativeCount: Int32 = 0
  var index = 0
  while index < count {
    let value = values[index]
    negativeCount &+= value < 0 ? 1 : 0
    values[index] = value < 0 ? 0 : value
    index &+= 1
  }
  return Int(negativeCount)
}
