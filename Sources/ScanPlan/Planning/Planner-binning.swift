import Host

// Updates that are made of binned projections.
extension ScanDescription {
  /// Rows at whose multiples the rows of a worker begin, where they would at those of `step`: what becomes one row is
  /// one worker's, and the volume while the scan runs is the same for any number of them.
  func rowAlignment(_ step: Int) -> Int {
    let factor = 1 << liveBinning, shared = min(factor, 1 << step.trailingZeroBitCount)
    return step / shared * factor
  }
}

extension Planner {
  /// Slices of fewer columns show nothing.
  private static let liveColumnsMin = 8

  /// How the detector lies beside the slices of updates; throws where these would have too few columns.
  func windowGeometry(_ geometry: ScanGeometry, columns: Int) throws(ScanFailure) -> ScanGeometry {
    guard scan.liveBinning > 0 else { return geometry }
    let left = columns >> scan.liveBinning
    guard left >= Self.liveColumnsMin else {
      throw ScanFailure(
        .data,
        "--live-binning \(scan.liveBinning) leaves \(left) of \(columns) columns, and \(Self.liveColumnsMin) are the "
          + "least")
    }
    return geometry.binned(by: 1 << scan.liveBinning)
  }

  /// What a person may not expect of it.
  func liveBinningNotices(_ plan: RunPlan) -> [String] {
    guard scan.liveBinning > 0, scan.finalGoesOn else { return [] }
    return [
      "--live-binning \(scan.liveBinning): the final iterations begin with nothing, and not with the volume of the "
        + "updates, which has fewer voxels"
    ]
  }
}
