package import Tomography

/// How often a scan is iterated over after its end, and in how many subsets.
package enum FinalSchedule: Sendable {
  /// However many projections came.
  case fixed(iterations: Int, subsets: Int)
  /// What the solver's rule gives for the projections that came, of a detector of so many columns.
  case rule(SubsetOptions, columns: Int)

  /// Iterations over so many projections; 0 for none.
  package func iterations(projections: Int) -> Int {
    guard projections > 0 else { return 0 }
    return switch self {
    case .fixed(let iterations, _): iterations
    case .rule(let options, let columns): options.sweepCount(angles: projections, columns: columns)
    }
  }

  /// The most iterations over up to so many projections.
  package func iterationsMax(projections: Int) -> Int {
    if case .fixed(let iterations, _) = self { return iterations }
    return (0...projections).reduce(0) { max($0, iterations(projections: $1)) }
  }

  /// Ordered subsets of each iteration over so many projections.
  func subsets(projections: Int) -> Int {
    switch self {
    case .fixed(_, let subsets): min(subsets, projections)
    case .rule(let options, _): min(options.subsetCount(angles: projections), projections)
    }
  }
}
