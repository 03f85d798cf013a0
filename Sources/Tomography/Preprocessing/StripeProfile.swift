/// Where columns of a sinogram are higher or lower than their neighbours at most angles.
///
/// The median over all angles of the difference of neighbouring columns, summed up from the left: a stripe stands in it
/// as high as it is, whereas the sample's features pass any column at few angles and leave the median alone.
struct StripeProfile {
  /// Columns at both sides through which a line is laid; how many times more than others a stripe stands out; rounds of
  /// looking, as a stripe hides what lies beside it.
  private static let (beside, standingOut, rounds) = (4, 5.0, 8)
  /// What is no stripe, as a part of the sinogram's range.
  private static let least = 1e-4

  private var heights: [Double]
  private let floor: Double

  init(_ sinogram: UnsafePointer<Float>, angles: Int, columns: Int) {
    var heights = [0.0], steps = [Float](repeating: 0, count: angles)
    for column in 1..<columns {
      for angle in 0..<angles {
        steps[angle] = sinogram[angle * columns + column] - sinogram[angle * columns + column - 1]
      }
      steps.sort()
      heights.append(heights[column - 1] + Double(steps[angles / 2]))
    }
    self.heights = heights
    let values = UnsafeBufferPointer(start: sinogram, count: angles * columns)
    floor = Self.least * Double((values.max() ?? 0) - (values.min() ?? 0))
  }

  private struct Stripe {
    let columns: Range<Int>
    /// Times of what others do.
    let standsOut: Double
  }

  /// Stripes of so many columns at most. Others are those within `near` columns.
  func stripes(widthMax: Int, near: Int) -> [Range<Int>] {
    var rest = self, found: [Range<Int>] = []
    for _ in 0..<Self.rounds {
      let some = rest.round(widthMax: widthMax, near: near, taken: found)
      guard !some.isEmpty else { break }
      for stripe in some { rest.level(stripe) }
      found += some
    }
    return found
  }

  /// The most prominent stripes that do not touch each other's neighbourhood.
  private func round(widthMax: Int, near: Int, taken: [Range<Int>]) -> [Range<Int>] {
    var candidates: [Stripe] = []
    for width in 1...max(1, widthMax) where heights.count > width + 4 {
      let firsts = 2..<heights.count - width - 1
      let usual = Self.medians(
        firsts.map { Float(abs(between($0..<$0 + width))) }, near: near < heights.count ? near : heights.count / 2)
      for (index, first) in firsts.enumerated() {
        let columns = first..<first + width
        let standsOut = abs(height(columns)) / max(1.4826 * Double(usual[index]), floor)
        guard standsOut > Self.standingOut, !taken.contains(where: { $0.overlaps(columns) }) else { continue }
        candidates.append(Stripe(columns: columns, standsOut: standsOut))
      }
    }
    candidates.sort { ($0.standsOut, $1.columns.lowerBound) > ($1.standsOut, $0.columns.lowerBound) }
    var chosen: [Range<Int>] = []
    for candidate in candidates {
      let reach = Self.beside + candidate.columns.count
      let around = candidate.columns.lowerBound - reach..<candidate.columns.upperBound + reach
      if !chosen.contains(where: { $0.overlaps(around) }) { chosen.append(candidate.columns) }
    }
    return chosen
  }

  /// The median of each value's neighbourhood, mirrored at both ends: one value repeated there would decide alone.
  private static func medians(_ values: [Float], near: Int) -> [Float] {
    let window = max(1, min(near, values.count - 1)) | 1, half = min(window / 2, values.count)
    let padded = values.prefix(half).reversed() + values + values.suffix(half).reversed()
    var medians = [Float](repeating: 0, count: padded.count), sliding = SlidingMedian(window: window)
    sliding.apply(padded, count: padded.count, into: &medians)
    return Array(medians[half..<half + values.count])
  }

  private func mean(_ columns: Range<Int>) -> Double {
    columns.reduce(0) { $0 + heights[$1] } / Double(columns.count)
  }

  /// Above what lies between the columns at both sides.
  private func between(_ columns: Range<Int>) -> Double {
    mean(columns) - (heights[columns.lowerBound - 1] + heights[columns.upperBound]) / 2
  }

  /// Above the lines through several columns at both sides too.
  private func height(_ columns: Range<Int>) -> Double {
    let left = max(0, columns.lowerBound - Self.beside)..<columns.lowerBound
    let right = columns.upperBound..<min(heights.count, columns.upperBound + Self.beside)
    guard left.count > 1, right.count > 1 else { return 0 }
    let middle = Double(columns.lowerBound + columns.upperBound - 1) / 2
    return heights.withUnsafeBufferPointer {
      smallest(
        between(columns), mean(columns) - LineThrough($0, left).value(at: middle),
        mean(columns) - LineThrough($0, right).value(at: middle))
    }
  }

  private mutating func level(_ columns: Range<Int>) {
    let (left, right) = (heights[columns.lowerBound - 1], heights[columns.upperBound])
    for column in columns {
      let part = Double(column - columns.lowerBound + 1) / Double(columns.count + 1)
      heights[column] = left + (right - left) * part
    }
  }
}

/// A line through values at some columns, by least squares.
struct LineThrough {
  private let middle: Double
  private let mean: Double
  private let slope: Double

  /// Through two columns at least.
  init(_ values: UnsafeBufferPointer<some BinaryFloatingPoint>, _ columns: Range<Int>) {
    let middle = Double(columns.lowerBound + columns.upperBound - 1) / 2
    var (sum, moment, squares) = (0.0, 0.0, 0.0)
    for column in columns {
      let (value, beside) = (Double(values[column]), Double(column) - middle)
      sum += value
      moment += value * beside
      squares += beside * beside
    }
    (self.middle, mean, slope) = (middle, sum / Double(columns.count), moment / squares)
  }

  func value(at column: Double) -> Double { mean + slope * (column - middle) }
}

/// How far a value lies from the nearer of the lines at both sides; 0 where it lies between them. So neither a kink nor
/// an edge stands out.
func distance(_ value: Double, at column: Double, _ left: LineThrough, _ right: LineThrough) -> Double {
  smallest(value - left.value(at: column), value - right.value(at: column))
}

/// The least of the values, if all have one sign; else 0.
private func smallest(_ values: Double...) -> Double {
  if values.allSatisfy({ $0 > 0 }) { return values.min() ?? 0 }
  return values.allSatisfy { $0 < 0 } ? values.max() ?? 0 : 0
}
