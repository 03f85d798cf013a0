package import Tomography

/// How a worker computes: the method of windows and of the final iterations.
package struct WorkerMethods: Sendable {
  /// What updates do while the scan runs.
  package var window: Method
  /// Ordered subsets of each of their iterations.
  var windowSubsets: Int
  /// What the final iterations do.
  package var final: FinalMethod
  /// What a person can do when the residual of an update is not finite.
  var remedy: String
  /// The same of the final iterations.
  var finalRemedy: String

  /// `window` serves for the final iterations too unless `final` is given.
  package init(
    window: Method, windowSubsets: Int = 1, final: FinalMethod? = nil, remedy: String, finalRemedy: String? = nil
  ) {
    self.window = window
    self.windowSubsets = windowSubsets
    self.final = final ?? .iterations(window, from: .windows)
    self.remedy = remedy
    self.finalRemedy = finalRemedy ?? remedy
  }
}

/// What is done after the scan.
package enum FinalMethod: Sendable {
  /// Where iterations start from.
  package enum Start: Sendable {
    /// The newest generation.
    case windows
    /// What is the method's own, whatever the newest generation is.
    case own
    /// What another method makes of all projections.
    case made(Method)
  }

  /// How far a grid reaches beyond the detector.
  package enum Padding: Sendable, Equatable {
    /// So many pixels at each side.
    case pixels(Int)
    /// `SubsetSolver.padding` where the sample reaches beyond the detector, else not at all: see `SampleEdges`.
    case whereTheSampleLeaves

    /// The most pixels at each side, for a detector of so many columns.
    package func pixelsMax(columns: Int) -> Int {
      switch self {
      case .pixels(let pixels): pixels
      case .whereTheSampleLeaves: SubsetSolver.padding(columns: columns)
      }
    }
  }

  /// Iterations of a method.
  case iterations(Method, from: Start)
  /// Ordered subsets of all projections, from nothing but these.
  case subsets(SubsetOptions, padding: Padding)

  /// Whether line integrals below zero have no meaning.
  var needsNonNegative: Bool {
    if case .iterations(let method, _) = self { !method.startsFromZero } else { false }
  }
}
