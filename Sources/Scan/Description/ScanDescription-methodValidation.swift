import Tomography

extension ScanDescription {
  private static let strengths = 1e-9...1e12
  private static let deltas = 1e-9...1e9

  /// Refuses options that the method does not have: they would be ignored in silence.
  func validateMethod() throws(ScanFailure) {
    try validateSubsets()
    guard relaxation == 1 || algorithm == .sirt else { throw refused("--relaxation \(relaxation)", "sirt") }
    if algorithm == .fbp {
      guard finalIterations > 0 else {
        throw ScanFailure(.usage, "--final-iterations 0 with --algorithm fbp leaves nothing of the whole scan: fbp makes one pass after it")
      }
      guard initial == .zero else { throw ScanFailure(.usage, "--initial fbp is a start for iterations, and --algorithm fbp makes none") }
      guard !nonNegative else { throw refused("--non-negative", "sirt") }
    }
    if initial == .fbp, finalIterations == 0 {
      throw ScanFailure(.usage, "--initial fbp is a start for final iterations: give --final-iterations a value above 0")
    }
    if let filter, algorithm != .fbp, initial != .fbp {
      throw ScanFailure(.usage, "--filter \(filter.rawValue) goes with --algorithm fbp or --initial fbp")
    }
    if let regularisation { try validate(regularisation) }
  }

  private func validateSubsets() throws(ScanFailure) {
    for (option, value) in [("--final-subsets", finalSubsets), ("--window-subsets", windowSubsets)] {
      guard let value, value > 1, algorithm != .sirt, algorithm != .osem else { continue }
      throw refused("\(option) \(value)", "sirt or osem")
    }
  }

  private func validate(_ regularisation: Regularisation) throws(ScanFailure) {
    let given = "--reg \(regularisation.text)"
    guard algorithm == .pmlQuadratic || algorithm == .pmlHybrid else { throw refused(given, "pml-quad or pml-hybrid") }
    guard Self.strengths.contains(regularisation.strength) else {
      throw ScanFailure(.usage, "\(given): the strength is outside \(Self.strengths.lowerBound)…\(Self.strengths.upperBound)")
    }
    guard let delta = regularisation.delta else { return }
    guard algorithm == .pmlHybrid else { throw refused("\(given): a second number", "pml-hybrid") }
    guard Self.deltas.contains(delta) else {
      throw ScanFailure(.usage, "\(given): the difference is outside \(Self.deltas.lowerBound)…\(Self.deltas.upperBound)")
    }
  }

  private func refused(_ what: String, _ algorithms: String) -> ScanFailure {
    ScanFailure(.usage, "\(what) goes with --algorithm \(algorithms), not with \(algorithm.rawValue)")
  }
}
