import Host
import Stages
import Tomography

extension RunPlan {
  /// Whether updates keep up with the rate that is expected, where they keep up with so many projections a second; nil
  /// where none is expected, or none are made.
  func expectation(sustained: Double?) -> String? {
    guard let rate = scan.expectRate, let sustained else { return nil }
    func number(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
    let start = "--expect-rate \(rate.scanText) is"
    if sustained >= rate { return "\(start) sustained: updates keep up with \(number(sustained)) projections a second" }
    let words = "\(start) not sustained: updates keep up with \(number(sustained)) projections a second"
    guard distribution.changesPace, distribution.lagMax > 0 || distribution.latencyMax != nil else {
      return words + "; --lag-max 48 makes them less often"
    }
    let most = number(sustained * slowestFactor)
    return words + ", at the last level (\(scan.ladder.levels.last ?? "")) with \(most)"
  }

  /// Which workers can come while the run is behind, on a machine with these cores; nil where none are asked for.
  func catchUpNotice(cores: [Int]) -> String? {
    guard let most = scan.catchUp else { return nil }
    let deal = BandDeal(placement), spare = placement.spareCores(of: cores)
    let start = "--catch-up \(most)"
    let bands = "\(counted(deal.bandCount, "band")) for \(counted(deal.workers.count, "worker"))"
    if spare.isEmpty {
      return "\(start) adds no worker: all cores are workers' or left to acquisition; --workers and --threads say how "
        + "many they have"
    }
    let left = deal.bandCount - deal.workers.count, count = min(most, left, spare.count)
    if count == 0 { return "\(start) adds no worker: the rows are cut into \(bands); --bands cuts them into more" }
    let words = "while a worker is behind, \(counted(count, "worker")) may come on cores \(CoreList(spare))"
    return "\(start): " + words + (count == left && left < most ? ", as the rows are cut into \(bands)" : "")
  }

  /// What an update on a coarse grid is faster by, at least: see Docs.docc/Measurements.md.
  private static let coarseFactor = 3.0

  /// How many times as many projections a second updates keep up with when every step of the ladder is in effect.
  private var slowestFactor: Double {
    let windows = windows, ladder = scan.ladder, every = ladder.decimation(at: ladder.steps.count)
    let interval = max(
      ladder.widens(at: ladder.steps.count) ? windows.updateIntervalMax : 1, (every - 1) / max(windows.step, 1) + 1)
    let angles = windows.projectionsPerUpdate, left = (windows.length - 1) / every + 1 + angles - windows.length
    return Double(interval) * Double(angles) / Double(left) * (ladder.coarsens ? Self.coarseFactor : 1)
  }
}
