import RunModel

/// ‖b − A x‖ / ‖b‖ over the updates of a run, from what its workers report, each about its rows.
struct Curves {
  /// By number of the update, then by the first row of the part.
  private var window: [Int: [Int: CurvePart]] = [:]
  private var final: [Int: [Int: CurvePart]] = [:]
  /// Of each worker by its first row: the latest counts.
  private(set) var pixels = PixelCounts()
  private var pixelsByRow: [Int: PixelCounts] = [:]
  /// Rises with every update.
  private(set) var version = 0

  private struct CurvePart {
    let residualSquared: Double
    let dataSquared: Double
  }

  /// The run's own figures bound what is kept.
  private let (updatesMax, rows): (Int, [Range<Int>])

  /// `updatesMax`: what a complete scan makes; `rows`: of each worker.
  init(updatesMax: Int, rows: [Range<Int>]) { (self.updatesMax, self.rows) = (updatesMax, rows) }

  /// Takes a report; one that makes no sense is left out.
  mutating func add(_ update: UpdateEvent) {
    guard update.index < updatesMax, update.residualSquared.isFinite, update.dataSquared.isFinite,
      let worker = rows.first(where: { $0.contains(update.rows.lowerBound) })
    else { return }
    let part = CurvePart(residualSquared: update.residualSquared, dataSquared: update.dataSquared)
    switch update.phase {
    case .window: window[update.index, default: [:]][update.rows.lowerBound] = part
    case .final: final[update.index, default: [:]][update.rows.lowerBound] = part
    }
    pixelsByRow[worker.lowerBound] = update.pixels
    pixels = pixelsByRow.values.reduce(PixelCounts(), +)
    version += 1
  }

  /// Points of a curve: numbers of updates and their residuals.
  struct Line: Codable, Equatable {
    var indices: [Int]
    var residuals: [Double]
  }

  /// Both curves, each of at most about `pointsMax` points.
  func lines(pointsMax: Int) -> (window: Line, final: Line) {
    (Self.line(window, pointsMax), Self.line(final, pointsMax))
  }

  /// The residual of the newest update, over the rows that were reported; nil before the first.
  var latest: Double? {
    (final.keys.max().flatMap { final[$0] } ?? window.keys.max().flatMap { window[$0] }).map(Self.relative)
  }

  private static func line(_ parts: [Int: [Int: CurvePart]], _ pointsMax: Int) -> Line {
    let chosen = parts.keys.sorted().thinned(to: pointsMax)
    return Line(indices: chosen, residuals: chosen.map { relative(parts[$0] ?? [:]) })
  }

  private static func relative(_ parts: [Int: CurvePart]) -> Double {
    let data = parts.values.reduce(0) { $0 + $1.dataSquared }
    return data > 0 ? (parts.values.reduce(0) { $0 + $1.residualSquared } / data).squareRoot() : 0
  }
}
