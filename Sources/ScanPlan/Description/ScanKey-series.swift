package import Detectors
import Stages

extension ScanKey {
  /// Parts of a long scan.
  static let series = [
    ScanKey(
      .region, "subset", \.subset, "Use these projections of the scan, as 0:180 for the first 180.",
      unset: "all of them"),
    ScanKey(
      .output, "volume-every", \.volumeEvery,
      "Make a series: a volume of every half turn, or of so many projections, and one file with all.",
      unset: "one volume of all projections"),
  ]
}

extension ScanDescription {
  /// Whether frames come from where somebody else writes them.
  private var readsSpool: Bool { if case .spool? = try? ScanSource(input) { true } else { false } }

  var subsetProblem: String? {
    guard let subset else { return nil }
    let option = "--subset \(subset.scanText)"
    if isLive, !readsSpool { return "\(option) chooses from a scan file, and \(input) is a live source" }
    if isLive, let projections, subset.numbers.upperBound > projections {
      return "\(option) asks for projections up to \(subset.numbers.upperBound - 1), and there are \(projections)"
    }
    return flatFields == .interpolate
      ? "\(option) and --flat-fields interpolate exclude each other: what lies between flat fields "
        + "before and behind the scan depends on all projections" : nil
  }

  /// The detector whose scan is divided while it comes; nil for a file, and for what is none that can be listened to.
  package var seriesDetector: DetectorAddress? {
    switch try? ScanSource(input) {
    case .stream, .variable: try? DetectorAddress(input)
    case .file, .folder, .spool, .fabric, nil: nil
    }
  }

  /// Where frames of a live series wait for their volumes.
  package var seriesSpool: String { "\(outputFolder)/spool" }

  /// What is used of a live scan, in words; nil for all of it.
  var subsetNotice: String? {
    subset.map {
      "projections \($0.numbers.lowerBound) to \($0.numbers.upperBound - 1) of \(projections ?? 0) are used"
    }
  }

  var seriesProblem: String? {
    guard let volumeEvery else { return nil }
    let option = "--volume-every \(volumeEvery.scanText)"
    if isLive, seriesDetector == nil {
      return "\(option) divides a scan file, or what comes by zmq+pull://, zmq+sub:// or pva://, and not \(input)"
    }
    if isLive, let stopHook {
      return "\(option) and --stop-hook \(stopHook) exclude each other: that one volume is good enough is no reason to "
        + "end the scan of all"
    }
    if flatFields == .interpolate {
      return "\(option) and --flat-fields interpolate exclude each other: what lies between flat fields before and "
        + "behind the scan depends on all projections"
    }
    if case .values? = range { return nil }
    if bits != .thirtyTwo {
      return "\(option) with --bits \(bits.rawValue) needs --range LOW,HIGH, the same for all volumes"
    }
    return nil
  }
}
