import Stages
import Testing
import Tomography

@Suite struct FinalScheduleTests {
  @Test func `A schedule that is fixed does not depend on the projections, but that there are some`() {
    let schedule = FinalSchedule.fixed(iterations: 20, subsets: 4)
    for projections in [1, 3, 500] { #expect(schedule.iterations(projections: projections) == 20) }
    #expect(schedule.iterations(projections: 0) == 0 && schedule.iterationsMax(projections: 500) == 20)
  }

  @Test func `A scan that ends early has the rule's sweeps for the projections that came`() {
    let options = SubsetOptions(), schedule = FinalSchedule.rule(options, columns: 256)
    for projections in [1, 10, 60, 180, 720] {
      #expect(schedule.iterations(projections: projections) == options.sweepCount(angles: projections, columns: 256))
      #expect(schedule.iterations(projections: projections) <= schedule.iterationsMax(projections: 720))
    }
    #expect(schedule.iterations(projections: 0) == 0)
    #expect(schedule.iterations(projections: 10) > schedule.iterations(projections: 720))
  }
}
