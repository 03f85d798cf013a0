import Tomography

extension ScanDescription {
  private static let strengths = 1e-9...1e12
  private static let deltas = 1e-9...1e9

  /// Refuse options that the method does not have: they would be ignored in silence.
  static let methodRules: [@Sendable (ScanDescription) -> String?] = [
    { $0.subsetsProblem("--final-subsets", $0.finalSubsets) },
    { $0.subsetsProblem("--window-subsets", $0.windowSubsets) },
    { $0.relaxation != 1 && $0.algorithm != .sirt ? $0.refused("--relaxation \($0.relaxation)", "sirt") : nil },
    { $0.backprojectionProblem }, { $0.initialProblem }, { $0.filterProblem }, { $0.regularisationProblem },
    { $0.stripeProblem },
    { $0.countsProblem },
  ]

  private func subsetsProblem(_ option: String, _ value: Int?) -> String? {
    guard let value, value > 1, algorithm != .sirt, algorithm != .osem else { return nil }
    return refused("\(option) \(value)", "sirt or osem")
  }

  private var backprojectionProblem: String? {
    guard algorithm == .fbp else { return nil }
    if finalIterations == 0 {
      return "--final-iterations 0 with --algorithm fbp leaves nothing of the whole scan: fbp makes one pass after it"
    }
    if initial != .zero { return "--initial fbp is a start for iterations, and --algorithm fbp makes none" }
    return nonNegative ? refused("--non-negative", "sirt") : nil
  }

  private var initialProblem: String? {
    guard initial == .fbp, finalIterations == 0 else { return nil }
    return "--initial fbp is a start for final iterations: give --final-iterations a value above 0"
  }

  private var filterProblem: String? {
    guard let filter, algorithm != .fbp, initial != .fbp else { return nil }
    return "--filter \(filter.rawValue) goes with --algorithm fbp or --initial fbp"
  }

  private var regularisationProblem: String? {
    guard let regularisation else { return nil }
    let given = "--reg \(regularisation.text)"
    guard algorithm == .pmlQuadratic || algorithm == .pmlHybrid else { return refused(given, "pml-quad or pml-hybrid") }
    guard Self.strengths.contains(regularisation.strength) else {
      return "\(given): the strength is outside \(Self.strengths.lowerBound)…\(Self.strengths.upperBound)"
    }
    guard let delta = regularisation.delta else { return nil }
    guard algorithm == .pmlHybrid else { return refused("\(given): a second number", "pml-hybrid") }
    return Self.deltas.contains(delta)
      ? nil : "\(given): the difference is outside \(Self.deltas.lowerBound)…\(Self.deltas.upperBound)"
  }

  private var countsProblem: String? {
    guard minusLog == .no, zingers != nil || paganin != nil else { return nil }
    return
      "\(zingers != nil ? "--zingers" : "--paganin") works on counts, "
      + "and --minus-log no says that the data are line integrals"
  }

  private var stripeProblem: String? {
    guard stripeRemoval != .none, finalIterationCount == 0 else { return nil }
    return
      "--stripe-removal \(stripeRemoval.rawValue) works on all angles together: give --final-iterations a value above 0"
  }

  private func refused(_ what: String, _ algorithms: String) -> String {
    "\(what) goes with --algorithm \(algorithms), not with \(algorithm.rawValue)"
  }
}
