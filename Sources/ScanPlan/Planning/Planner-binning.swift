import Host
import Rings
import Stages
import Tomography

// Updates that are made of binned projections.
extension ScanDescription {
  /// Rows, and columns, of a projection that become one in the coarsest updates.
  var binningOfUpdates: Int { 1 << (liveBinning.exponent + (ladder.coarsens ? 1 : 0)) }

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
        "\(ladder)--live-binning \(scan.liveBinning.scanText) leaves \(left) of \(columns) columns, and "
          + "\(Self.liveColumnsMin) are the least")
    }
    guard scan.liveBinning.exponent > 0 else { return geometry }
    return geometry.binned(by: 1 << scan.liveBinning.exponent)
  }

  /// What a person may not expect of it.
  func liveBinningNotices(_ plan: RunPlan) -> [String] {
    let found = liveBinningNotice(plan).map { [$0] } ?? []
    guard plan.scan.liveBinning.exponent > 0, scan.finalGoesOn else { return found }
    return found + [
      "--live-binning \(plan.scan.liveBinning.scanText): the final iterations begin with nothing, and not with the "
        + "volume of the updates, which has fewer voxels"
    ]
  }

  /// Updates that are to keep up with a rate keep up with so much of it: a machine does other things, too.
  private static let reserve = 1.25

  /// The plan with the least binning of updates with which they keep up with the rate that is expected, or with the
  /// most that there is. This machine's cores are measured for a moment with each; a plan that is resumed has its
  /// number.
  func planFindingBinning(runID: RunID, command: [String]) throws -> RunPlan {
    guard let rate = scan.expectRate ?? scan.rate else { preconditionFailure("no rate was validated") }
    var planner = self
    for exponent in 0...UpdateBinning.exponentMax {
      planner.scan.liveBinning = .exponent(exponent)
      var plan = try planner.plan(runID: runID, command: command)
      let sustained = Double(plan.windows.step) / (try SpeedEstimate(plan, padding: 0).updateSeconds(plan))
      plan.sustained = sustained
      let left = plan.shape.columns / (2 * planner.scan.binningOfUpdates)
      if sustained >= Self.reserve * rate || exponent == UpdateBinning.exponentMax || left < Self.liveColumnsMin {
        return plan
      }
    }
    preconditionFailure("the most binning was not taken")
  }

  /// What auto came to; nil where a person gave the number.
  private func liveBinningNotice(_ plan: RunPlan) -> String? {
    guard scan.liveBinning == .auto, let sustained = plan.sustained, let rate = scan.expectRate ?? scan.rate else {
      return nil
    }
    let words = "--live-binning auto is \(plan.scan.liveBinning.scanText) here: updates keep up with "
    let figures = words + "\(((sustained * 10).rounded() / 10).scanText) projections a second"
    return figures
      + (sustained >= Self.reserve * rate
        ? ", and \(rate.scanText) are expected"
        : ", and \(rate.scanText) with a quarter to spare are wanted; it goes no further")
  }
}
