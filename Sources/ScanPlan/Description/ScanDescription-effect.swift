import Stages
import Tomography

extension ScanDescription {
  /// Refuse options that nothing would look at, beside those of methods and of control.
  static let effectRules: [@Sendable (ScanDescription) -> String?] = [
    { $0.unwrittenProblem }, { $0.updateProblem }, { $0.unusedMethodProblem }, { $0.onePassProblem },
    { $0.uniteratedProblem }, { $0.waitingProblem }, { $0.unspreadProblem }, { $0.liveBinningProblem },
    { $0.paceProblem }, { $0.catchUpProblem },
  ]

  /// What is given and changes nothing, without being a mistake: a person may have given it for other runs as well.
  var idleNotices: [String] {
    var notices: [String] = []
    if durability == .memory, checkpointEvery != Self.standard.checkpointEvery, checkpointEvery.interval != .never {
      notices.append(
        "--checkpoint-every \(checkpointEvery.text) changes nothing: with --durability memory no volume is saved")
    }
    if durability == .memory, scrub != Self.standard.scrub, scrub > 0 {
      notices.append("--scrub \(scrub.scanText) changes nothing: with --durability memory there is no journal to read")
    }
    if makesNoWindows, let windowLength {
      notices.append("--window-length \(windowLength) changes nothing: --window-step 0 makes no updates")
    }
    if makesNoWindows, order != .sequential, !isLive {
      notices.append(
        "--order \(order.scanText) changes only what is there when the scan is ended early: no updates are made while "
          + "it runs")
    }
    return notices
  }

  /// About files that are not written.
  private var unwrittenProblem: String? {
    let parts = format.parts
    if bits != .thirtyTwo, !parts.tiff {
      return "--bits \(bits.rawValue) is about TIFF files, and --format \(format.scanText) writes none: its voxels are "
        + "floats"
    }
    if compress, !parts.hdf5 {
      return "--compress is about the HDF5 file, and --format \(format.scanText) writes none"
        + (parts.zarr ? ": Zarr is compressed in any case" : "")
    }
    return zarrVersion != Self.standard.zarrVersion && !parts.zarr
      ? "--zarr-version \(zarrVersion.scanText) goes with --format zarr or all, not with \(format.scanText)" : nil
  }

  /// About updates where --window-step 0 says that none are made.
  private var updateProblem: String? {
    guard makesNoWindows else { return nil }
    let given = [
      windowIter == Self.standard.windowIter ? nil : "--window-iter \(windowIter)",
      windowSubsets.map { "--window-subsets \($0)" },
      liveBinning == .none ? nil : "--live-binning \(liveBinning.scanText)",
      lagMax.flatMap { $0 > 0 ? "--lag-max \($0)" : nil }, latencyMax.map { "--latency-max \($0.scanText)" },
      whenSlow.map { "--when-slow \($0.scanText)" }, expectRate.map { "--expect-rate \($0.scanText)" },
      catchUp.map { "--catch-up \($0)" },
    ]
    guard let first = given.compactMap({ $0 }).first else { return nil }
    let remedy = windowStep == 0 ? "--window-step 0 makes none" : "none are made here; --window-spread 2 makes some"
    return "\(first) is about updates while the scan runs, and \(remedy)"
  }

  /// A method of updates where none are made, or that makes none.
  private var unusedMethodProblem: String? {
    guard let final, algorithm != .auto, algorithm != final, makesNoWindows || algorithm == .cgls else { return nil }
    let reason =
      algorithm == .cgls
      ? "cgls makes no updates while the scan runs"
      : "no updates are made while the scan runs; --window-step 1 makes some"
    return "--algorithm \(algorithm.rawValue) with --final \(final.rawValue) has nothing to do: \(reason)"
  }

  /// More passes of a method that makes one.
  private var onePassProblem: String? {
    guard finalAlgorithm == .fbp, let finalIterations, finalIterations > 1 else { return nil }
    return "--final-iterations \(finalIterations) goes with a method that iterates: fbp makes one pass"
  }

  /// Subsets of iterations that are not made.
  private var uniteratedProblem: String? {
    guard let finalSubsets, !hasFinalIterations else { return nil }
    return "--final-subsets \(finalSubsets) is about final iterations, and --final-iterations 0 makes none"
  }

  /// Memory for images that nobody would hold.
  private var waitingProblem: String? {
    guard let diskBuffer, diskBuffer > 0, rate == nil, let source = try? ScanSource(input), source.waits else {
      return nil
    }
    return "--disk-buffer \(diskBuffer.scanText) is for images that cannot wait for the disk, and those of \(input) "
      + "can; --rate delivers them like a detector"
  }

  /// Memory for projections that no update takes.
  private var unspreadProblem: String? {
    guard let windowMemory, windowSpread == 0 else { return nil }
    return "--window-memory \(windowMemory.scanText) is for the projections that --window-spread draws from, and "
      + "--window-spread 0 draws none"
  }

  /// Binned updates where they would be the result, or where somebody else takes them for what they are not.
  private var liveBinningProblem: String? {
    guard liveBinning != .none else { return nil }
    let given = "--live-binning \(liveBinning.scanText)"
    if liveBinning == .auto, expectRate ?? rate == nil {
      return "\(given) is the least with which updates keep up with what comes: --expect-rate says how many "
        + "projections come in a second"
    }
    if !hasFinalIterations {
      return "\(given) is about the volume while the scan runs, and --final-iterations 0 makes no other; --binning "
        + "makes a smaller one"
    }
    if let reference {
      return "--reference \(reference) is compared with updates, and \(given) makes them of fewer voxels: leave one out"
    }
    if let fabric { return "\(given) and --fabric \(fabric) exclude each other: nodes have updates of their own" }
    return fabricInput == nil ? nil : "\(given) is for a run that reads a scan, and \(input) makes this one a node"
  }
}
