/// Tells whether a sample reaches beyond the detector: whether what the outermost columns see is not air.
///
/// Of each projection of a row and each side, the mean line integral of the outermost columns is compared with its
/// noise, which the differences of neighbouring columns there give, and with what the sample absorbs. Where more than a
/// tenth of them stand out, the sample leaves the detector: one that is not round may do so at some angles only.
package struct SampleEdges {
  /// Sides of the detector.
  package enum Sides: Sendable {
    /// Both.
    case both
    /// The first columns.
    case left
    /// The last ones.
    case right
  }

  /// Of a side, one column in so many, and two at least.
  private static let share = 64
  /// Standard deviations of the mean.
  private static let deviationsMin: Float = 5
  /// Of the line integrals that a twentieth of the row's exceed.
  private static let partMin: Float = 0.05
  private static let countMin = 0.1
  /// From the median of absolute differences of two values to their standard deviation (normal distribution).
  private static let deviation: Float = 1 / (0.6745 * 1.41421356)

  /// Whether it does in a row, at these sides: `lines` are line integrals of some projections, each of `columns`
  /// columns.
  package static func reachBeyond(_ lines: [Float], columns: Int, sides asked: Sides = .both) -> Bool {
    precondition(columns > 0 && lines.count % columns == 0, "\(lines.count) line integrals of \(columns) columns")
    let width = min(max(2, columns / share), columns), projections = lines.count / columns
    guard projections > 0, columns > 2 * width else { return false }
    let sides = (0..<projections).flatMap { projection in
      let (left, right) = (projection * columns, (projection + 1) * columns - width)
      return switch asked {
      case .both: [left, right]
      case .left: [left]
      case .right: [right]
      }
    }
    let steps = sides.flatMap { side in (side..<side + width - 1).map { abs(lines[$0 + 1] - lines[$0]) } }.sorted()
    let noise = steps[steps.count / 2] * deviation
    let sorted = lines.sorted(), most = sorted[sorted.count - 1 - sorted.count / 20]
    let least = max(deviationsMin * noise / Float(width).squareRoot(), partMin * most)
    let standingOut = sides.count { side in
      lines[side..<side + width].reduce(0, +) / Float(width) > least
    }
    return Double(standingOut) > countMin * Double(sides.count)
  }
}
