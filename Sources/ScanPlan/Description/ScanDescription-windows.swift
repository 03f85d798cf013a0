import Tomography

// Which updates are made while the scan runs.
extension ScanDescription {
  /// The kinds of windows.
  enum WindowKind: Equatable {
    /// The newest few projections, and some that are spread over a quarter turn.
    case spread
    /// The newest ones, as in the published method.
    case sliding
    /// None: who reconstructs a file, and does not look at it meanwhile, waits for the final iterations.
    case none
  }

  /// Which kind of windows the options ask for. This is where the default is decided.
  var windowKind: WindowKind {
    if !spreadOptions.isEmpty { return .spread }
    if !slidingOptions.isEmpty { return .sliding }
    guard usesWindows || isWatched || windowIter != Self.standard.windowIter else { return .none }
    return algorithm == .auto ? .spread : .sliding
  }

  /// Whether somebody looks at the volume while the scan runs, or nothing else makes one. A page is looked at as well:
  /// see `watch`.
  private var isWatched: Bool {
    let isLive = (try? ScanSource(input))?.isLive ?? false
    return isLive || rate != nil || comparesSlices || stopRises != nil || !hasFinalIterations || joinsWindows
  }

  /// Whether windows are part of the method: auto, cgls and fbp make the volume of all projections alone.
  private var usesWindows: Bool {
    switch algorithm {
    case .auto, .cgls, .fbp: false
    case .sirt, .mlem, .osem, .pmlQuadratic, .pmlHybrid: true
    }
  }

  /// Has the volume updated while the scan runs, unless it was said how.
  package mutating func watch() {
    // A node makes the updates that the edge does.
    guard windowKind == .none, fabricInput == nil else { return }
    if algorithm == .auto { windowSpread = Self.standardSpread } else { windowLength = Self.standardLength }
  }

  /// Says which updates are made, where that follows from something else than the options about them.
  mutating func settleWindows() {
    switch windowKind {
    case .spread: windowSpread = windowSpread ?? Self.standardSpread
    case .sliding: windowLength = windowLength ?? Self.standardLength
    case .none: windowStep = 0
    }
  }

  private static let standardSpread = 2
  /// As in the published method.
  private static let standardLength = 24

  /// The options that were given and ask for spread windows, as they are written.
  var spreadOptions: [String] {
    [
      windowRecent.map { "--window-recent \($0)" }, windowSpread.map { "--window-spread \($0)" },
      windowMemory.map { "--window-memory \($0.scanText)" },
    ].compactMap { $0 }
  }

  /// The options that were given and ask for sliding windows, as they are written.
  var slidingOptions: [String] {
    [
      windowLength.map { "--window-length \($0)" }, windowStep.map { "--window-step \($0)" },
      windowSubsets.map { "--window-subsets \($0)" },
    ].compactMap { $0 }
  }

  /// The updates while the scan runs, for a scan with so many projections in a half turn. The description was
  /// validated.
  func windows(projectionsPerHalfTurn: Int) -> WindowSchedule {
    switch windowKind {
    case .spread:
      WindowSchedule(
        newest: windowRecent ?? 1,
        spread: AngularSpread(
          count: windowSpread ?? Self.standardSpread, projectionsPerHalfTurn: projectionsPerHalfTurn),
        iterations: windowIter)
    case .sliding:
      WindowSchedule(length: windowLength ?? Self.standardLength, step: windowStep ?? 1, iterations: windowIter)
    case .none: WindowSchedule(length: 1, step: 0, iterations: windowIter)
    }
  }

  /// λ of SIRT in updates. The newest projections of a spread window are half of a step, whether others are drawn or
  /// not.
  var windowRelaxation: Double { windowKind == .spread && windowSpread == 0 ? 0.5 * relaxation : relaxation }

  /// Whether no update is made while the scan runs.
  var makesNoWindows: Bool { windowKind == .none || windowKind == .sliding && windowStep == 0 }
}
