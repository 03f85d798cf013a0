/// Bands of rows that threads share in a step of total variation, in two dimensions and in three. What a band needs of
/// rows that its neighbours overwrite is copied before.
struct RowBands {
  private let rows: Int
  let count: Int

  /// Twice as many bands as threads can work at the same time, none of fewer than `rowsMin` rows; one for one thread.
  init(rows: Int, rowsMin: Int, threads: Int) {
    self.rows = rows
    count = max(1, min(Self.countMax(threads: threads), rows / rowsMin))
  }

  /// Bands at most.
  private static func countMax(threads: Int) -> Int { threads == 1 ? 1 : 2 * threads }

  /// Bands at most that have edges to be kept.
  static func edgesMax(threads: Int) -> Int { threads == 1 ? 0 : countMax(threads: threads) }

  subscript(_ index: Int) -> Range<Int> { rows * index / count..<rows * (index + 1) / count }

  /// Calls `save` with each band, if they are several, and then `step`, by at most `workers` workers.
  func run(
    _ executor: some Executor, workers: Int, save: (_ index: Int) -> Void, step: (_ worker: Int, _ index: Int) -> Void
  ) {
    if count > 1 { executor.forEach(count: count, save) }
    executor.share(count: count, workers: workers, step)
  }
}

/// λ of a slice, and what follows from it for its dual steps.
struct DualStep {
  let weight: Float
  /// σ = 1 / (‖∇‖² λ max τ); 0 where λ is.
  let step: Float
  /// What |p + σ ∇d|² is compared with: the square of 1 + σ ε, in the unit of the kernels.
  let bound: Float

  /// With Huber's ε, or 0; `norm` is ‖∇‖², at most 8 in two dimensions and 12 in three.
  init(_ factors: (weight: Float, epsilon: Float), norm: Float, stepMax: Float) {
    let (weight, epsilon) = factors
    precondition(weight >= 0 && weight.isFinite && epsilon >= 0, "weight \(weight), epsilon \(epsilon)")
    self.weight = weight
    step = weight > 0 ? 1 / (norm * weight * stepMax) : 0
    let length = 32_767 * (1 + step * epsilon)
    bound = length * length
  }
}
