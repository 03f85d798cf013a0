import Benchmarks
import Foundation
import ScanPlan
import Testing

@Suite struct WindowsBenchmarkTests {
  private func options(_ change: (inout WindowsBenchmark.Options) -> Void = { _ in }) -> WindowsBenchmark.Options {
    var options = WindowsBenchmark.Options()
    (options.columns, options.angles, options.seed) = (96, 90, 7)
    change(&options)
    return options
  }

  @Test func `auto's windows are as good as the published ones at every moment, for a seventh of the work`() throws {
    let report = try WindowsBenchmark(options { $0.policies += [.inTurn(newest: 1, drawn: 2)] }).run()
    #expect(report.tables.map(\.sample) == ["still", "drift", "pore"].flatMap { Array(repeating: $0, count: 4) })
    for table in report.tables {
      let (published, own, inTurn) = (table.rows[0], table.rows[1], table.rows[2]), name = "\(table)"
      #expect(zip(own.psnr, published.psnr).allSatisfy { $0 >= $1 }, "\(name)")
      #expect(own.gain > 0.3 && own.psnr.count == 4, "\(name)")
      #expect(Double(own.projections) <= 0.15 * Double(published.projections), "\(name)")
      // What one update gives up of two is little.
      #expect(own.gain >= inTurn.gain - 0.5, "\(name)")
      #expect(published.worst == 0 && published.gain == 0)
    }
    let decoded = try JSONDecoder().decode(WindowsReport.self, from: JSONEncoder().encode(report))
    #expect(decoded.tables.count == report.tables.count)
  }

  @Test func `windows that forget too much are told from good ones`() throws {
    let report = try WindowsBenchmark(
      options {
        ($0.moves, $0.policies) = (false, [.standard, .spread(newest: 1, drawn: 2, relaxation: 0.05, name: "slow")])
      }
    ).run()
    for table in report.tables { #expect(table.rows[2].worst < table.rows[1].worst, "\(table)") }
  }

  @Test func `what cannot be measured is refused before anything is`() {
    for change in [{ $0.columns = 31 }, { $0.angles = 23 }, { $0.photons = 9 }, { $0.photons = .nan }]
      as [(inout WindowsBenchmark.Options) -> Void]
    {
      #expect(throws: ScanFailure.self) { try WindowsBenchmark(options(change)) }
    }
  }
}
