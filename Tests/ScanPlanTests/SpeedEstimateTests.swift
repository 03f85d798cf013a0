import Testing
import Tomography

@testable import ScanPlan

@Suite struct SpeedEstimateTests {
  @Test(arguments: [(180, 3), (3, 3), (2, 2), (1, 1)])
  func `An update of spread windows goes through the newest projection and the drawn ones, as far as there are any`(
    projections: Int, count: Int
  ) {
    let spread = AngularSpread(count: 2, projectionsPerHalfTurn: 180)
    let windows = WindowSchedule(newest: 1, spread: spread, iterations: 1)
    #expect(SpeedEstimate.angleCount(of: windows, projections: projections) == count)
  }

  @Test func `An update of sliding windows goes through its length, and no update through nothing`() {
    func count(step: Int, projections: Int) -> Int {
      SpeedEstimate.angleCount(of: WindowSchedule(length: 24, step: step, iterations: 2), projections: projections)
    }
    #expect(count(step: 1, projections: 180) == 24)
    #expect(count(step: 1, projections: 10) == 10)
    #expect(count(step: 0, projections: 180) == 0)
  }
}
