import Testing

@testable import Serve

/// How long a disk lasts, with times and sizes that are made up.
@Suite struct DiskForecastTests {
  private static let gigabyte = 1 << 30
  private let start = ContinuousClock.now

  private func watch(_ samples: [(minute: Int, free: Int)], removed: [(minute: Int, byteCount: Int)] = []) -> DiskWatch
  {
    var watch = DiskWatch()
    for (minute, free) in samples {
      for removal in removed where removal.minute == minute {
        watch.note(removed: removal.byteCount * Self.gigabyte, now: start + .seconds(60 * minute))
      }
      watch.add(free: free * Self.gigabyte, total: 1000 * Self.gigabyte, now: start + .seconds(60 * minute))
    }
    return watch
  }

  @Test func `Nothing is foretold before ten minutes are over, or where nothing is taken`() throws {
    #expect(DiskWatch().forecast == nil)
    let early = try #require(watch([(0, 500), (9, 400)]).forecast)
    #expect(early.bytesPerHour == nil && early.hoursLeft == nil && early.freeBytes == 400 * Self.gigabyte)
    let still = try #require(watch([(0, 500), (30, 500)]).forecast)
    #expect(still.bytesPerHour == 0 && still.hoursLeft == nil && still.warning == nil)
    #expect(watch([(0, 400), (30, 500)]).forecast?.hoursLeft == nil)
  }

  @Test func `A disk that fills within a day is warned of, with the hours that are left`() throws {
    let forecast = try #require(watch([(0, 500), (30, 480)]).forecast)
    #expect(forecast.bytesPerHour == 40 * Self.gigabyte && forecast.hoursLeft == 12)
    #expect(forecast.warning?.contains("12.0 hours") == true)
    #expect(watch([(0, 990), (30, 980)]).forecast?.warning == nil)
  }

  @Test func `Only the last hour counts`() {
    let samples = (0...20).map { (minute: 10 * $0, free: $0 <= 10 ? 900 - 10 * $0 : 800 - 2 * ($0 - 10)) }
    #expect(watch(samples).forecast?.bytesPerHour == 12 * Self.gigabyte)
  }

  @Test func `What the server removes does not hide how fast the disk fills`() {
    let steady = watch([(0, 500), (15, 490), (30, 500)], removed: [(30, 20)])
    #expect(steady.forecast?.bytesPerHour == 40 * Self.gigabyte)
    // What was removed before the last hour no more.
    let later = watch([(0, 500), (10, 500), (75, 490), (130, 480)], removed: [(10, 100)])
    #expect(later.forecast?.bytesPerHour ?? 0 < 15 * Self.gigabyte)
  }
}
