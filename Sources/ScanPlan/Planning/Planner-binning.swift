import Host
import Stages

// Updates that are made of binned projections.
extension ScanDescription {
  /// Rows, and columns, of a projection that become one in the coarsest updates.
  var binningOfUpdates: Int { 1 << (liveBinning + (ladder.coarsens ? 1 : 0)) }

  /// Rows of the blocks that share a tilted axis, of the coarsest updates too.
  func blockAlignment(_ geometry: ScanGeometry) -> Int {
    geometry.rowAlignment > 1 ? geometry.rowAlignment * binningOfUpdates : 1
  }

  /// Rows at whose multiples the rows of a worker begin, where they would at those of `step`: what becomes one row is
  /// one worker's, and the volume while the scan runs is the same for any number of them.
  func rowAlignment(_ step: Int) -> Int {
    let factor = binningOfUpdates, shared = min(factor, 1 << step.trailingZeroBitCount)
    return step / shared * factor
  }
}

extension Planner {
  /// Slices of fewer columns show nothing.
  private static let liveColumnsMin = 8

  /// How the detector lies beside the slices of updates; throws where these would have too few columns.
  func windowGeometry(_ geometry: ScanGeometry, columns: Int) throws(ScanFailure) -> ScanGeometry {
    let left = columns / scan.binningOfUpdates
    guard scan.binningOfUpdates == 1 || left >= Self.liveColumnsMin else {
      let ladder = scan.ladder.coarsens ? "--when-slow \(scan.ladder.scanText), " : ""
      throw ScanFailure(
        .data,
        "\(ladder)--live-binning \(scan.liveBinning) leaves \(left) of \(columns) columns, and \(Self.liveColumnsMin) "
          + "are the least")
    }
    guard scan.liveBinning > 0 else { return geometry }
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
