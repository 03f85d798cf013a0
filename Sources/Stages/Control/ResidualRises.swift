import RunModel

/// Counts for each worker how often in a row the residual of a windowed update was higher than that of the one before.
/// A function of the updates alone, so whoever reads them again counts the same.
struct ResidualRises {
  private var last: [Double?]
  private var counts: [Int]

  init(workers: Int) {
    last = Array(repeating: nil, count: workers)
    counts = Array(repeating: 0, count: workers)
  }

  /// Takes note of an update; gives how often in a row its worker's residual, ‖b − A x‖ / ‖b‖, has risen.
  mutating func count(_ update: UpdateEvent, worker: Int) -> Int {
    guard update.phase == .window, update.dataSquared > 0 else { return counts[worker] }
    let residual = (update.residualSquared / update.dataSquared).squareRoot()
    counts[worker] = last[worker].map { residual > $0 } ?? false ? counts[worker] + 1 : 0
    last[worker] = residual
    return counts[worker]
  }
}
