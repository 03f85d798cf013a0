import Benchmarks
import Testing

@Suite struct AlarmsBenchmarkTests {
  @Test func `Six faults are told of before the product's own rules, and quiet hours are quiet`() throws {
    var options = AlarmsBenchmark.Options()
    (options.seeds, options.quietHours) = (2, 1)
    let report = try AlarmsBenchmark(options).run()
    #expect(report.faults.count == RunFault.allCases.count)
    for row in report.faults {
      #expect(row.missed == 0 && row.early == 0, "\(row), seed \(report.seed)")
      if let lead = row.lead { #expect(lead > 0, "\(row), seed \(report.seed)") }
    }
    #expect(report.falseAlarms.isEmpty, "\(report.falseAlarms), seed \(report.seed)")
    #expect(try AlarmsBenchmark(options).run().faults == report.faults)
  }
}
