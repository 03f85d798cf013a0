import Host

extension ScanDescription {
  /// What contradicts what: each rule returns what is wrong, nil where nothing is. It names keys as the command line
  /// does (`--window-step 25`), first the one that a person would change; `check` finds their lines by these names.
  private static let rules: [@Sendable (ScanDescription) -> String?] =
    [
      { $0.windowKindProblem }, { $0.stepProblem }, { $0.nothingProblem }, { $0.nsinoProblem }, { $0.rowsProblem },
      { $0.bufferProblem }, { $0.bandsProblem }, { $0.rangeProblem }, { $0.mirrorProblem }, { $0.parityProblem },
      { $0.homeProblem },
      { $0.subsetProblem }, { $0.seriesProblem }, { $0.measurementProblem },
      { $0.eventsProblem }, { $0.stageProblem }, { $0.viewProblem },
    ] + methodRules + sourceRules + controlRules + effectRules + fabricRules

  /// What can be found wrong without the scan file, all of it: first single values, then what contradicts what. A rule
  /// about a value that is wrong itself says nothing new.
  func problems() -> [String] {
    var problems: [String] = []
    var wrong: Set<String> = []
    for key in ScanKey.all {
      guard let problem = key.problem(self) else { continue }
      problems.append(
        ["--\(key.name)", key.text(self), problem].compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: " "))
      wrong.insert(key.name)
    }
    return problems + Self.rules.compactMap { $0(self) }.filter { wrong.isDisjoint(with: ScanKey.mentioned(in: $0)) }
  }

  /// Throws the first of `problems`.
  package func validate() throws(ScanFailure) {
    if let first = problems().first { throw ScanFailure(.usage, first) }
  }

  private var stepProblem: String? {
    guard windowKind == .sliding, let windowStep, windowStep > windowLength ?? 24 else { return nil }
    return
      "--window-step \(windowStep) exceeds --window-length \(windowLength ?? 24): "
      + "projections between two windows would never be used"
  }

  private var windowKindProblem: String? {
    guard let spread = spreadOptions.first, let sliding = slidingOptions.first else { return nil }
    return "\(spread) and \(sliding) are about two kinds of windows: give options of one of them"
  }

  private var nothingProblem: String? {
    guard makesNoWindows, finalIterations == 0 else { return nil }
    return "--window-step 0 with --final-iterations 0 reconstructs nothing: give one of them a value"
  }

  private var nsinoProblem: String? {
    nsino != nil && (startRow != nil || endRow != nil) ? "--nsino and --start-row/--end-row exclude each other" : nil
  }

  private var bufferProblem: String? {
    guard let diskBuffer, durability == .memory else { return nil }
    return "--disk-buffer \(diskBuffer.scanText) goes with --durability durable: nothing waits for a disk"
  }

  private var bandsProblem: String? {
    guard case .number(let count) = bands, let workers, workers > count else { return nil }
    return "--workers \(workers) and --bands \(count): \(counted(workers - count, "worker")) would have no band"
  }

  private var mirrorProblem: String? {
    guard let mirror else { return nil }
    if durability == .memory { return "--mirror \(mirror) goes with --durability durable: there is no journal to keep" }
    return volumeEvery.map {
      "--mirror \(mirror) and --volume-every \($0.scanText) exclude each other: a mirror is one run's"
    }
  }

  private var parityProblem: String? {
    guard let parity else { return nil }
    let words = "--parity \(parity.scanText)"
    if durability == .memory { return "\(words) goes with --durability durable: there is no journal to code" }
    if let mirror, parity.folders.map(absolutePath).contains(absolutePath(mirror)) {
      return "\(words) and --mirror \(mirror) name the same folder; each needs one of its own"
    }
    return volumeEvery.map { "\(words) and --volume-every \($0.scanText) exclude each other: shards are one run's" }
  }

  private var rangeProblem: String? {
    guard let range, bits == .thirtyTwo else { return nil }
    return "--range \(range.scanText) goes with --bits 8 or --bits 16: floats hold the values"
  }

  private var rowsProblem: String? {
    guard let endRow, endRow <= startRow ?? 0 else { return nil }
    return "--end-row \(endRow) is not above --start-row \(startRow ?? 0); it names the row after the last"
  }
}

extension ScanKey {
  /// The keys that a sentence names with their dashes, in its order.
  static func mentioned(in text: String) -> [String] {
    text.matches(of: /--([a-z][a-z-]*[a-z])/).map { String($0.1) }.filter { named($0) != nil }
  }
}
