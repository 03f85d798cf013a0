import RunModel

/// Sums the residuals that the workers report for the same update. An update that is reported again, by a worker's
/// successor, replaces the earlier report.
struct Convergence {
  /// For each update, its parts by their first row.
  private var window: [[Int: ResidualPart]]
  private var final: [[Int: ResidualPart]]
  private var pixels: [PixelCounts]
  /// Of the rows from a first one on.
  private var fits: [Int: [RowFit]] = [:]

  private struct ResidualPart {
    let residualSquared: Double
    let dataSquared: Double
  }

  /// Room for every update that the run can make.
  init(workers: Int, windowUpdates: Int, finalIterations: Int) {
    window = Array(repeating: [:], count: windowUpdates)
    final = Array(repeating: [:], count: finalIterations)
    pixels = Array(repeating: .init(), count: workers)
  }

  mutating func add(_ update: UpdateEvent, worker: Int) throws {
    let limit = update.phase == .window ? window.count : final.count
    guard update.index < limit else { throw StageError.disorder("update \(update.index) of \(limit)") }
    let part = ResidualPart(residualSquared: update.residualSquared, dataSquared: update.dataSquared)
    switch update.phase {
    case .window: window[update.index][update.rows.lowerBound] = part
    case .final: final[update.index][update.rows.lowerBound] = part
    }
    pixels[worker] = update.pixels
    if !update.fits.isEmpty { fits[update.rows.lowerBound] = update.fits }
  }

  /// ‖b − A x‖ / ‖b‖ of every windowed update that was made.
  var windowResiduals: [Double] { window.filter { !$0.isEmpty }.map(Self.relative) }
  /// The same of every final iteration.
  var finalResiduals: [Double] { final.filter { !$0.isEmpty }.map(Self.relative) }

  private static func relative(_ parts: [Int: ResidualPart]) -> Double {
    // In the order of the rows, so that the same parts give the same bits.
    let parts = parts.sorted { $0.key < $1.key }.map(\.value)
    let data = parts.reduce(0) { $0 + $1.dataSquared }
    return data > 0 ? (parts.reduce(0) { $0 + $1.residualSquared } / data).squareRoot() : 0
  }

  /// How well each of some rows fits; none where nobody told it of any.
  func fits(rows: Range<Int>) -> [RowFit] {
    guard !fits.isEmpty else { return [] }
    var all = Array(repeating: RowFit.unknown, count: rows.count)
    for (first, part) in fits {
      for (offset, fit) in part.enumerated() where rows.contains(first + offset) {
        all[first + offset - rows.lowerBound] = fit
      }
    }
    return all
  }

  /// Replaced pixels over all workers.
  var pixelCounts: PixelCounts { pixels.reduce(PixelCounts(), +) }
}
