import Glibc

/// What can be chosen about ordered subsets with momentum and total variation (`SubsetSolver`).
package struct SubsetOptions: Sendable, Equatable {
  /// Sets of options by name.
  package enum Preset: String, Codable, Sendable, CaseIterable {
    /// Twice the subsets in the first two sweeps, and fewer sweeps.
    case fast
    /// The weight that the rule says.
    case standard
    /// 0.4 of that weight, less of more than 180 columns: keeps faint thin cracks, and more of the noise.
    case detail
  }

  /// λ, the weight of the penalty.
  package enum Weight: Sendable, Equatable {
    /// So many times what `WeightRule` says, at most `factorMax`.
    case rule(factor: Float)
    /// `detailFactor` times what it says.
    case detail
    /// The threshold of a full step, in the volume's unit; at most `factorMax` times what the rule says.
    case fixed(Float)
  }

  /// How subsets are projected.
  package enum Precision: String, Codable, Sendable, CaseIterable {
    /// In fixed point, but for slices whose range is too wide for it.
    case auto
    /// In float.
    case float
    /// In fixed point, whatever the slice.
    case fixed
  }

  /// What is asked of a slice beside fitting the data.
  package enum Penalty: Sendable, Equatable {
    /// Σ |∇x|
    case totalVariation
    /// Huber's potential: quadratic for gradients below λ ε / m …, so that smooth slopes make no steps. ε is in units
    /// of the slice's scale m.
    case huber(epsilon: Float)
  }

  /// M; nil for round(10 (A / 180)^⅓) of A angles, at most A / 2.
  package var subsets: Int?
  /// K; nil for what `sweepCount` says.
  package var sweeps: Int?
  /// First sweeps that use 2 M subsets.
  package var doubledSweeps: Int
  /// Last sweeps whose steps and weights are halved, quartered … (2; `fast` 1).
  package var relaxedSweeps: Int
  /// Steps on the dual in each subset, 1…8.
  package var innerSteps: Int
  /// The largest momentum, 0 (none) … 1; less where subsets have few angles: see `momentumLimit`.
  package var momentumMax: Float
  /// λ
  package var weight: Weight
  /// Total variation or Huber's potential.
  package var penalty: Penalty
  /// Whether ∇ is taken within each slice (2), or over the slices of a slab too (3): see `RowSlabs`.
  package var dimensions = 2
  /// How subsets are projected.
  package var precision = Precision.auto
  /// Weigh each line integral b by e^−b, the share of the photons that came through: penalised weighted least squares.
  /// A gain where few came through (500 photons a pixel), and slower where the noise is small.
  package var weighsCounts = false
  /// Cut the volume at zero in each step.
  var nonNegative: Bool
  /// Only voxels whose centres lie within half the grid's width of the rotation axis take part; of the result those
  /// within columns / 2.
  var diskMask: Bool

  /// With N columns 0.4 √(180 / N), at most 0.4: keeps cracks that are thinner than a pixel about as well as filtered
  /// backprojection with Hann's window does. The more pixels a ray crosses, the less a thin crack is of its integral,
  /// and the less the data hold against a threshold. Of the weight that the rule alone comes to, as much is kept at
  /// 0.42 to 0.48 times with 128 columns and at 0.29 times with 256; a noisier picture's g makes it less by itself.
  static func detailFactor(columns: Int) -> Float { 0.4 * min(1, 180 / Float(columns)).squareRoot() }

  /// No weight is more than so many times the rule's: large ones make the dual steps oscillate.
  static let factorMax: Float = 8

  /// A preset.
  package init(preset: Preset = .standard, nonNegative: Bool = false, diskMask: Bool = false) {
    subsets = nil
    sweeps = nil
    doubledSweeps = preset == .fast ? 2 : 0
    relaxedSweeps = preset == .fast ? 1 : 2
    innerSteps = 2
    momentumMax = 0.9
    weight = preset == .detail ? .detail : .rule(factor: 1)
    penalty = .totalVariation
    self.nonNegative = nonNegative
    self.diskMask = diskMask
  }

  /// M for so many angles, 1…angles: subsets grow with the square root of M, so that the noise of a subset does. By the
  /// rule each has two angles at least.
  package func subsetCount(angles: Int) -> Int {
    let rule = min(Int((10 * cbrt(Double(angles) / 180)).rounded()), angles / 2)
    return min(max(1, subsets ?? rule), angles)
  }

  /// The most momentum over `count` subsets, of which the smallest has `size` angles. Few angles say little of what
  /// the others ask for: with more momentum the steps grow without end (16 to 90 subsets, 16 to 30 sweeps).
  func momentumLimit(count: Int, size: Int) -> Float {
    let stable: Float =
      switch size {
      case _ where count == 1: 1
      case ...1: 0.5
      case 2: 0.7
      case 3: 0.8
      default: 1
      }
    return min(momentumMax, stable)
  }

  /// K for so many angles of a detector with `columns`: about 70 subsets, and a sweep more for each doubling of the
  /// columns above 256; with doubled subsets at the beginning about 60.
  package func sweepCount(angles: Int, columns: Int) -> Int {
    if let sweeps { return max(1, sweeps) }
    let count = Double(subsetCount(angles: angles))
    if doubledSweeps > 0 { return max(4, Int((60 / count).rounded(.up)) - doubledSweeps) }
    let doublings = max(0, log2(Double(columns) / 256).rounded())
    return max(5, Int((70 / count).rounded(.up))) + Int(doublings)
  }

  /// Traps on what cannot be.
  func check() {
    precondition((1...TotalVariationStep.innerStepsMax).contains(innerSteps), "\(innerSteps) inner steps")
    precondition(dimensions == 2 || dimensions == 3, "a penalty in \(dimensions) dimensions")
    precondition(momentumMax >= 0 && momentumMax <= 1, "momentum up to \(momentumMax)")
    precondition(doubledSweeps >= 0 && relaxedSweeps >= 0, "\(doubledSweeps) doubled, \(relaxedSweeps) relaxed sweeps")
    switch weight {
    case .detail: break
    case .rule(let value), .fixed(let value): precondition(value >= 0 && value.isFinite, "weight \(value)")
    }
    if case .huber(let epsilon) = penalty { precondition(epsilon > 0 && epsilon.isFinite, "epsilon \(epsilon)") }
  }
}
