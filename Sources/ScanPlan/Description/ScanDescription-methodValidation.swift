import Tomography

extension ScanDescription {
  private static let strengths = 1e-9...1e12
  private static let deltas = 1e-9...1e9

  /// Refuse options that the methods do not have: they would be ignored in silence.
  static let methodRules: [@Sendable (ScanDescription) -> String?] = [
    { $0.finalProblem }, { $0.spreadProblem },
    { $0.subsetsProblem("--final-subsets", $0.finalSubsets, of: $0.finalAlgorithm, "auto, sirt or osem") },
    { $0.subsetsProblem("--window-subsets", $0.windowSubsets, of: $0.windowAlgorithm, "sirt or osem") },
    { $0.relaxation != 1 && !$0.names(.sirt) ? $0.refused("--relaxation \($0.relaxation)", "sirt") : nil },
    { $0.backprojectionProblem }, { $0.initialProblem }, { $0.filterProblem }, { $0.regularisationProblem },
    { $0.knobProblem }, { $0.stripeProblem }, { $0.countsProblem }, { $0.tiltedSlabsProblem },
  ]

  /// Whether an algorithm is asked for by name.
  func names(_ algorithm: Algorithm) -> Bool { self.algorithm == algorithm || final == algorithm }

  private var finalProblem: String? {
    if final == nil, algorithm == .cgls, !hasFinalIterations {
      return "--final-iterations 0 with --algorithm cgls leaves nothing to it: updates while the scan runs are SIRT's"
    }
    guard let final, !hasFinalIterations else { return nil }
    return "--final \(final.rawValue) is the method of final iterations: give --final-iterations a value above 0"
  }

  private func subsetsProblem(_ option: String, _ value: Int?, of algorithm: Algorithm, _ others: String) -> String? {
    guard let value, value > 1, ![.auto, .sirt, .osem].contains(algorithm) else { return nil }
    return refused("\(option) \(value)", others)
  }

  private var spreadProblem: String? {
    guard let given = spreadOptions.first, windowAlgorithm != .sirt else { return nil }
    return refused(given, "auto or sirt")
  }

  private var backprojectionProblem: String? {
    if finalAlgorithm == .fbp {
      if finalIterations == 0 {
        return
          "--final-iterations 0 with --algorithm fbp leaves nothing of the whole scan: fbp makes one pass after it"
      }
      if initial != .zero { return "--initial fbp is a start for iterations, and --algorithm fbp makes none" }
    }
    return nonNegative && (windowAlgorithm == .fbp || finalAlgorithm == .fbp || finalAlgorithm == .cgls)
      ? refused("--non-negative", "auto or sirt") : nil
  }

  private var initialProblem: String? {
    guard initial == .fbp else { return nil }
    if !hasFinalIterations {
      return "--initial fbp is a start for final iterations: give --final-iterations a value above 0"
    }
    return finalAlgorithm == .auto
      ? "--initial fbp goes with an algorithm that is named: auto starts from fbp with filter hann by itself" : nil
  }

  private var filterProblem: String? {
    guard let filter, !names(.fbp), initial != .fbp else { return nil }
    return "--filter \(filter.rawValue) goes with --algorithm fbp or --initial fbp"
  }

  private var regularisationProblem: String? {
    guard let regularisation else { return nil }
    let given = "--reg \(regularisation.text)"
    guard names(.pmlQuadratic) || names(.pmlHybrid) else { return refused(given, "pml-quad or pml-hybrid") }
    guard Self.strengths.contains(regularisation.strength) else {
      return "\(given): the strength is outside \(Self.strengths.lowerBound)…\(Self.strengths.upperBound)"
    }
    guard let delta = regularisation.delta else { return nil }
    guard names(.pmlHybrid) else { return refused("\(given): a second number", "pml-hybrid") }
    return Self.deltas.contains(delta)
      ? nil : "\(given): the difference is outside \(Self.deltas.lowerBound)…\(Self.deltas.upperBound)"
  }

  private var tiltedSlabsProblem: String? {
    guard tvDimensions == 3, axisTilt != .degrees(0) else { return nil }
    return "--tv-dimensions \(tvDimensions) and --axis-tilt \(axisTilt.scanText) exclude each other: slices that each "
      + "have their own axis are computed in other groups than those that are penalised together"
  }

  /// Options of auto's final iterations that nothing will look at.
  private var knobProblem: String? {
    guard finalAlgorithm != .auto || !hasFinalIterations else { return nil }
    let given = [
      preset == .standard ? nil : "--preset \(preset.rawValue)", weight.map { "--weight \($0.scanText)" },
      precision == .auto ? nil : "--precision \(precision.rawValue)", innerSteps.map { "--inner-steps \($0)" },
      tvDimensions == 2 ? nil : "--tv-dimensions \(tvDimensions)",
      momentumMax.map { "--momentum-max \($0.scanText)" },
      relaxedSweeps.map { "--relaxed-sweeps \($0)" }, doubledSweeps.map { "--doubled-sweeps \($0)" },
      huber.map { "--huber \($0.scanText)" }, countWeights ? "--count-weights" : nil,
      padding == .auto ? nil : "--padding \(padding.scanText)",
    ]
    guard let first = given.compactMap({ $0 }).first else { return nil }
    return finalAlgorithm == .auto
      ? "\(first) is about final iterations, and --final-iterations 0 makes none"
      : "\(first) goes with --algorithm auto or --final auto, not with \(finalAlgorithm.rawValue)"
  }

  private var countsProblem: String? {
    guard minusLog == .no, zingers != nil || paganin != nil else { return nil }
    return
      "\(zingers != nil ? "--zingers" : "--paganin") works on counts, "
      + "and --minus-log no says that the data are line integrals"
  }

  private var stripeProblem: String? {
    guard stripeRemoval != .none, !hasFinalIterations else { return nil }
    return
      "--stripe-removal \(stripeRemoval.rawValue) works on all angles together: give --final-iterations a value above 0"
  }

  private func refused(_ what: String, _ algorithms: String) -> String {
    let given = final.map { "\(algorithm.rawValue) and --final \($0.rawValue)" } ?? algorithm.rawValue
    return "\(what) goes with --algorithm \(algorithms), not with \(given)"
  }
}
