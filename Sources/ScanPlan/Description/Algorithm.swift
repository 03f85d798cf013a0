import Host

/// Reconstruction methods.
package enum Algorithm: String, CaseIterable, Sendable {
  /// What suits: SIRT while the scan runs, then ordered subsets with momentum and total variation, whose weight follows
  /// from the noise.
  case auto
  /// Simultaneous iterative reconstruction technique.
  case sirt
  /// Maximum likelihood by expectation maximisation.
  case mlem
  /// The same over ordered subsets of the angles.
  case osem
  /// Penalised maximum likelihood, quadratic penalty.
  case pmlQuadratic = "pml-quad"
  /// Penalised maximum likelihood, a penalty that is quadratic for small differences and linear for large ones.
  case pmlHybrid = "pml-hybrid"
  /// Filtered backprojection.
  case fbp
  /// Conjugate gradients for least squares, of all projections at once; SIRT while the scan runs.
  case cgls
}

/// What the final iterations start from.
package enum InitialVolume: String, CaseIterable, Sendable {
  /// What the windows made, or without windows the method's own start: zero, a constant for mlem, osem and pml.
  case zero
  /// The filtered backprojection of all projections.
  case fbp
}

/// How strongly a penalty asks for smooth slices, and for the hybrid one the difference from which on it takes edges
/// for edges: `β` or `β,δ`.
package struct Regularisation: Equatable, Sendable {
  /// β, against the number of angles that are iterated over together.
  let strength: Double
  /// δ, in units of the volume (1/pixel).
  let delta: Double?

  /// A penalty as given.
  package init(strength: Double, delta: Double? = nil) {
    self.strength = strength
    self.delta = delta
  }

  /// Reads `β` or `β,δ`.
  package init?(_ text: String) {
    let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map { Double(written: $0) }
    guard (1...2).contains(numbers.count), let strength = numbers[0] else { return nil }
    if numbers.count == 2, numbers[1] == nil { return nil }
    self.init(strength: strength, delta: numbers.count == 2 ? numbers[1] : nil)
  }

  /// As it is written on the command line.
  package var text: String { delta.map { "\(strength),\($0)" } ?? "\(strength)" }
}
