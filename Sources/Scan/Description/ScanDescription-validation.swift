extension ScanDescription {
  /// Limits that keep arithmetic on sizes far from overflow; no real scan comes near them.
  private static let countMax = 1_000_000
  /// One projection a day … faster than any detector.
  private static let rates = 1e-5...1e9

  /// Checks what can be checked without the scan file.
  public func validate() throws(ScanFailure) {
    try check("--window-length", windowLength, in: 1...Self.countMax)
    try check("--window-step", windowStep, in: 0...Self.countMax)
    guard windowStep <= windowLength else {
      throw ScanFailure(
        .usage, "--window-step \(windowStep) exceeds --window-length \(windowLength): projections between two windows would never be used")
    }
    try check("--window-iter", windowIter, in: 1...Self.countMax)
    try check("--final-iterations", finalIterations, in: 0...Self.countMax)
    if let finalSubsets { try check("--final-subsets", finalSubsets, in: 1...Self.countMax) }
    if let windowSubsets { try check("--window-subsets", windowSubsets, in: 1...Self.countMax) }
    try check("--binning", binning, in: 0...6)
    if let workers { try check("--workers", workers, in: 1...31) }
    if let threads { try check("--threads", threads, in: 1...1024) }
    guard windowStep > 0 || finalIterations > 0 else {
      throw ScanFailure(.usage, "--window-step 0 with --final-iterations 0 reconstructs nothing: give one of them a value")
    }
    guard relaxation > 0, relaxation < 2 else {
      throw ScanFailure(.usage, "--relaxation \(relaxation) is outside 0…2, where SIRT converges")
    }
    if let rate, !Self.rates.contains(rate) {
      throw ScanFailure(.usage, "--rate \(rate) is outside \(Self.rates.lowerBound)…\(Self.rates.upperBound) projections a second")
    }
    if let lagMax { try check("--lag-max", lagMax, in: 0...Self.countMax) }
    for (option, path) in [("--output-folder", outputFolder), ("--run-folder", runFolder ?? ".")] where path.isEmpty {
      throw ScanFailure(.usage, "\(option) is empty; name a folder, . for the present one")
    }
    try validateMethod()
    try validateRows()
  }

  private func validateRows() throws(ScanFailure) {
    if let nsino {
      guard startRow == nil, endRow == nil else { throw ScanFailure(.usage, "--nsino and --start-row/--end-row exclude each other") }
      guard (0...1).contains(nsino) else { throw ScanFailure(.usage, "--nsino \(nsino) is outside 0 (top) … 1 (bottom)") }
    }
    if let startRow, startRow < 0 { throw ScanFailure(.usage, "--start-row \(startRow) is negative") }
    if let endRow, endRow <= startRow ?? 0 {
      throw ScanFailure(.usage, "--end-row \(endRow) is not above --start-row \(startRow ?? 0); it names the row after the last")
    }
  }

  private func check(_ option: String, _ value: Int, in range: ClosedRange<Int>) throws(ScanFailure) {
    guard range.contains(value) else {
      throw ScanFailure(.usage, "\(option) \(value) is outside \(range.lowerBound)…\(range.upperBound)")
    }
  }
}
