import Benchmarks
import ScanPlan
import Testing

@Suite struct AxisBenchmarkTests {
  @Test func `the axis of 20 random scans is found, or its error says that it may not be`() throws {
    var options = AxisBenchmark.Options()
    (options.scans, options.columnsMax, options.seed) = (20, 192, 3)
    let report = try AxisBenchmark(options).run()
    #expect(report.scans.count == 20 && report.right >= 16, "\(report)")
    #expect(report.scans.allSatisfy { $0.isRight || !$0.isSure }, "\(report)")
    // A warning that always comes says nothing.
    #expect(report.doubted <= 4, "\(report)")
    let kinds = report.scans
    #expect(
      kinds.contains(where: \.isTruncated) && kinds.contains { $0.span < 175 } && kinds.contains { $0.span > 350 })
  }

  @Test func `what little is seen twice around an axis near an edge tells the axis`() throws {
    var options = AxisBenchmark.Options()
    (options.scans, options.first, options.seed) = (1, 28, 8202)
    let scan = try #require(AxisBenchmark(options).run().scans.first)
    #expect(scan.isTruncated && scan.rotationAxis > 0.85 * Double(scan.columns))
    #expect(scan.isRight && scan.isSure, "\(scan)")
  }

  @Test func `where no ray is seen twice and the sample leaves the detector the error is told larger`() throws {
    var options = AxisBenchmark.Options()
    (options.scans, options.first, options.seed) = (1, 25, 8201)
    let scan = try #require(AxisBenchmark(options).run().scans.first)
    // Both methods are 0.6 px off in the same direction.
    #expect(scan.isTruncated && (scan.isRight || (scan.error ?? 0) > 0.2), "\(scan)")
  }

  @Test func `a scan of a campaign is the same in pieces, and another seed's is another`() throws {
    func scan(seed: UInt64, first: Int, scans: Int) throws -> AxisReport.Scan {
      var options = AxisBenchmark.Options()
      (options.scans, options.columnsMax, options.seed, options.first) = (scans, 80, seed, first)
      let report = try AxisBenchmark(options).run()
      return try #require(report.scans.last)
    }
    let (together, alone) = (try scan(seed: 5, first: 0, scans: 2), try scan(seed: 5, first: 1, scans: 1))
    #expect(together.number == 1 && alone.number == 1)
    #expect(together.rotationAxis == alone.rotationAxis && together.found == alone.found)
    #expect(try scan(seed: 6, first: 1, scans: 1).rotationAxis != alone.rotationAxis)
  }

  @Test func `what cannot be measured is refused`() {
    for change in [{ $0.scans = 0 }, { $0.columnsMax = 63 }, { $0.first = -1 }]
      as [(inout AxisBenchmark.Options) -> Void]
    {
      var options = AxisBenchmark.Options()
      change(&options)
      #expect(throws: ScanFailure.self) { try AxisBenchmark(options) }
    }
  }
}
