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

  /// How many times as many projections a second updates keep up with when every step of the ladder is in effect.
  private var slowestFactor: Double {
    let windows = windows, ladder = scan.ladder, every = ladder.decimation(at: ladder.steps.count)
    let interval = max(
      ladder.widens(at: ladder.steps.count) ? windows.updateIntervalMax : 1, (every - 1) / max(windows.step, 1) + 1)
    let angles = windows.projectionsPerUpdate, left = (windows.length - 1) / every + 1 + angles - windows.length
    return Double(interval) * Double(angles) / Double(left)
  }
}
