import RunModel
import Stages
import Testing

/// Shares of levels and latencies from what workers report.
@Suite struct PaceRecordTests {
  private static let start: UInt64 = 1 << 60

  /// Times in milliseconds after the start.
  private func update(
    _ index: Int, acquired: ClosedRange<UInt64>, published: UInt64, count: Int = 1, level: Int = 0
  ) -> UpdateEvent {
    var update = UpdateEvent(
      phase: .window, index: index, iterations: 1, cursor: 1, generation: 1, projections: 0..<8, rows: 0..<1,
      residualSquared: 1, dataSquared: 1, duration: 1, pixels: .init())
    func at(_ milliseconds: UInt64) -> UInt64 { Self.start + milliseconds * 1_000_000 }
    update.timing = UpdateTiming(
      acquired: at(acquired.lowerBound)...at(acquired.upperBound), published: at(published), count: count, level: level)
    return update
  }

  @Test func `Time belongs to the level that an update reports, and reports that come again change nothing`() throws {
    var record = PaceRecord(levels: ["full", "widen"], workers: 2)
    #expect(record.report == nil)
    for worker in 0...1 {
      record.add(update(0, acquired: 0...0, published: 10), worker: worker)
      record.add(update(1, acquired: 300...300, published: 310), worker: worker)
      record.add(update(2, acquired: 301...400, published: 500, count: 100, level: 1), worker: worker)
      for index in [1, 2] {
        record.add(update(index, acquired: 301...900, published: 9000, count: 500, level: 1), worker: worker)
      }
    }
    let report = try #require(record.report)
    #expect(report.levels.map(\.level) == ["full", "widen"] && report.wasSlow)
    #expect(report.levels.map(\.share) == [0.75, 0.25] && report.shares == "full 75.0 %, widen 25.0 %")
    // Those of the last update came evenly: they waited from 100 ms to 199 ms.
    #expect(abs(report.latencyP50 - 0.148) < 0.003 && abs(report.latencyP99 - 0.198) < 0.003, "\(report)")
    #expect(report.latencyMax == 0.199)
  }

  @Test func `A clock that went back is no latency, and an unknown level no time`() throws {
    var record = PaceRecord(levels: ["full"], workers: 1)
    record.add(update(0, acquired: 100...100, published: 50), worker: 0)
    record.add(update(1, acquired: 200...200, published: 250, level: 7), worker: 0)
    let report = try #require(record.report)
    #expect(report.latencyMax == 0.05 && report.levels.map(\.share) == [1] && !report.wasSlow)
  }
}
