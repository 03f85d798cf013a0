extension ScanDescription {
  /// Refuses options that would be ignored in silence.
  static let controlRules: [@Sendable (ScanDescription) -> String?] = [
    { $0.unwatchedProblem }, { $0.aloneProblem }, { $0.uncomparedProblem },
  ]

  private var unwatchedProblem: String? {
    guard makesNoWindows else { return nil }
    let given = [
      stopSimilarity.map { "--stop-ssim \($0.scanText)" }, stopRises.map { "--stop-rises \($0)" },
      reference.map { "--reference \($0)" },
    ]
    guard let first = given.compactMap({ $0 }).first else { return nil }
    return "\(first) watches the updates that are made while the scan runs, and --window-step 0 makes none"
  }

  private var uncomparedProblem: String? {
    guard !comparesSlices else { return nil }
    let given = [stopScale.map { "--stop-scale \($0)" }, stopDistance.map { "--stop-distance \($0)" }]
    return given.compactMap { $0 }.first.map { "\($0) goes with --stop-ssim or --reference" }
  }

  private var aloneProblem: String? {
    guard stopSimilarity == nil else { return nil }
    if let stopAfter { return "--stop-after \(stopAfter) goes with --stop-ssim" }
    return stopPatience == Self.standard.stopPatience ? nil : "--stop-patience \(stopPatience) goes with --stop-ssim"
  }
}
