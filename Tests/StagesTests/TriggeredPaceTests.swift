import Host
import Rings
import RunModel
import Testing
import Tomography

@testable import Stages

/// What triggers have become of updates.
@Suite struct TriggeredPaceTests {
  private static let windows = WindowSchedule(length: 24, step: 1, iterations: 1)

  @Test func `Updates stand still, become fewer once for each time, and come no nearer, as it is asked`() throws {
    let runID = RunID.random(), names = RegionNames(runID: runID)
    let gauges = try GaugesRegion.create(names, runID)
    defer { #expect(throws: Never.self) { try SharedRegion.unlink(name: names.gauges) } }
    // What a predecessor was asked for it has done.
    gauges.askForWidening()
    var (pace, interval) = (
      TriggeredPace(gauges), UpdateInterval(lagMax: 48, windows: Self.windows, projections: 0)
    )
    var given = 0
    func next(_ present: Int, wanted: Int) -> Int {
      pace.interval(present, &interval, projections: 100) { present, _ in
        given = present
        return wanted
      }
    }
    #expect(next(4, wanted: 3) == 3 && given == 4)
    gauges.askForWidening()
    #expect(next(4, wanted: 3) == 8)
    #expect(next(8, wanted: 3) == 3)
    gauges.askToStayWide(true)
    #expect(next(8, wanted: 3) == 8)
    gauges.askToStayWide(true)
    #expect(next(8, wanted: 12) == 12)
    gauges.askToStayWide(false)
    #expect(next(8, wanted: 3) == 3)
    gauges.askForPause(true)
    #expect(next(8, wanted: 3) == DistributionProgress.intervalPaused)
    gauges.askForPause(false)
    #expect(next(DistributionProgress.intervalPaused, wanted: 3) == 3 && given == 1)
  }
}
