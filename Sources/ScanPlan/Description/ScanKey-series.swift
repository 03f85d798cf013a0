import Stages

extension ScanKey {
  /// Parts of a long scan.
  static let series = [
    ScanKey(
      .region, "subset", \.subset, "Use these projections of the scan file, as 0:180 for the first 180.",
      unset: "all of them"),
    ScanKey(
      .output, "volume-every", \.volumeEvery,
      "Make a series: a volume of every half turn, or of so many projections, and one file with all.",
      unset: "one volume of all projections"),
  ]
}

extension ScanDescription {
  var subsetProblem: String? {
    guard let subset else { return nil }
    if isLive { return "--subset \(subset.scanText) chooses from a scan file, and \(input) is a live source" }
    return flatFields == .interpolate
      ? "--subset \(subset.scanText) and --flat-fields interpolate exclude each other: what lies between flat fields "
        + "before and behind the scan depends on all projections" : nil
  }

  var seriesProblem: String? {
    guard let volumeEvery else { return nil }
    let option = "--volume-every \(volumeEvery.scanText)"
    if isLive {
      return "\(option) divides a scan file, and \(input) is a live source"
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
