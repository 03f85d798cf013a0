import Topics

/// Sums the residuals that the workers report for the same update.
struct Convergence {
  private var window: [Sum]
  private var final: [Sum]
  private var pixels: [UpdateEvent.PixelCounts]

  private struct Sum {
    var residualSquared = 0.0
    var dataSquared = 0.0
    var relative: Double { dataSquared > 0 ? (residualSquared / dataSquared).squareRoot() : 0 }
    var wasSeen = false
  }

  /// Room for every update that the run can make.
  init(workers: Int, windowUpdates: Int, finalIterations: Int) {
    window = Array(repeating: Sum(), count: windowUpdates)
    final = Array(repeating: Sum(), count: finalIterations)
    pixels = Array(repeating: .init(), count: workers)
  }

  mutating func add(_ update: UpdateEvent, worker: Int) throws {
    let limit = update.phase == .window ? window.count : final.count
    guard update.index < limit else { throw StageError.disorder("update \(update.index) of \(limit)") }
    switch update.phase {
    case .window: Self.add(update, to: &window[update.index])
    case .final: Self.add(update, to: &final[update.index])
    }
    pixels[worker] = update.pixels
  }

  private static func add(_ update: UpdateEvent, to sum: inout Sum) {
    sum.residualSquared += update.residualSquared
    sum.dataSquared += update.dataSquared
    sum.wasSeen = true
  }

  /// ‖b − A x‖ / ‖b‖ of every windowed update that was made.
  var windowResiduals: [Double] { window.filter(\.wasSeen).map(\.relative) }
  /// The same of every final iteration.
  var finalResiduals: [Double] { final.filter(\.wasSeen).map(\.relative) }
  /// Replaced pixels over all workers.
  var pixelCounts: UpdateEvent.PixelCounts {
    pixels.reduce(into: .init()) { sum, counts in
      sum.nonFinite += counts.nonFinite
      sum.clamped += counts.clamped
      sum.dead += counts.dead
    }
  }
}
