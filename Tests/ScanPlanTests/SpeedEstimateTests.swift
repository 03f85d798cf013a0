import Testing
import Tomography

@testable import ScanPlan

@Suite struct SpeedEstimateTests {
  @Test(arguments: [(180, [1, 2]), (3, [1, 2]), (2, [1, 1]), (1, [1])])
  func `An update of spread windows is estimated as the groups that a worker goes through`(
    projections: Int, groups: [Int]
  ) {
    let spread = AngularSpread(count: 2, projectionsPerHalfTurn: 180)
    let windows = WindowSchedule(newest: 1, spread: spread, iterations: 1)
    #expect(SpeedEstimate.groups(of: windows, projections: projections) == groups)
    #expect(groups.reduce(0, +) == min(projections, windows.projectionsPerUpdate))
  }

  @Test func `An update of sliding windows is one group, and no update is none`() {
    func groups(step: Int, projections: Int) -> [Int] {
      SpeedEstimate.groups(of: WindowSchedule(length: 24, step: step, iterations: 2), projections: projections)
    }
    #expect(groups(step: 1, projections: 180) == [24])
    #expect(groups(step: 1, projections: 10) == [10])
    #expect(groups(step: 0, projections: 180).isEmpty)
  }
}
