import Benchmarks
import Foundation
import ScanPlan
import Simulation
import Testing

@Suite struct QualityBenchmarkTests {
  private func options(_ change: (inout QualityBenchmark.Options) -> Void = { _ in }) -> QualityBenchmark.Options {
    var options = QualityBenchmark.Options()
    (options.columns, options.angles, options.slices, options.seed) = (96, [90], 2, 5)
    options.iterations = [20, 80]
    change(&options)
    return options
  }

  @Test func `auto is better than any filter and overtakes SIRT, in a fraction of its time`() throws {
    let report = try QualityBenchmark(options { $0.checks = true }).run(), table = report.tables[0]
    #expect(table.checks.allSatisfy { $0.isMet }, "\(table.checks)")
    var worse = table
    for index in worse.rows.indices where worse.rows[index].variant == "standard" { worse.rows[index].known?.psnr -= 2 }
    #expect(!worse.checks.allSatisfy { $0.isMet }, "\(worse.checks)")
    var without = table
    without.rows.removeAll { $0.method == "sirt" }
    #expect(!without.checks.allSatisfy { $0.isMet })
    let noise = try #require(table.noise)
    #expect(table.sample == "foam" && abs(noise / table.largest - 0.01) < 0.001)
    let (fbp, sirt, auto) = (
      try #require(table.best("fbp")), try #require(table.best("sirt")), try #require(table.auto("standard"))
    )
    let (filtered, iterated, best) = (
      try #require(fbp.known), try #require(sirt.known), try #require(auto.known)
    )
    #expect(best.psnr >= filtered.psnr + 4 && best.psnr >= iterated.psnr + 3, "\(table.rows)")
    #expect(best.detail >= filtered.detail && best.detail > 0.8 && best.detail < 1.1)
    let first = try #require(table.overtaking)
    #expect(first.sweeps <= 4 && first.seconds < sirt.seconds / 3, "\(first), SIRT \(sirt)")
    // What fits the noise leaves it, and what fits more than that leaves less.
    #expect(auto.residual < fbp.residual && auto.residual > 0.5 * 0.01 && auto.residual < 0.05)
    let detail = try #require(table.auto("detail"))
    #expect(detail.residual < auto.residual)
    #expect(fbp.sweeps == 0.5 && sirt.sweeps == 80 && table.rows.allSatisfy { $0.seconds > 0 && $0.looks == nil })
    let decoded = try JSONDecoder().decode(QualityReport.self, from: JSONEncoder().encode(report))
    #expect(decoded.tables[0].rows.count == table.rows.count)
  }

  @Test func `auto is near the best of a grid, and each noise and number of angles has a table`() throws {
    let options = options {
      ($0.columns, $0.angles, $0.slices, $0.grid, $0.iterations) = (64, [45, 90], 2, true, [20])
      $0.noises = [.relative(0.01), .photons(500)]
    }
    let report = try QualityBenchmark(options).run(), tables = report.tables, summary = report.summary
    #expect(tables.map(\.angles) == [45, 90, 45, 90] && tables.map(\.photons) == [nil, nil, 500, 500])
    for table in tables {
      let (auto, grid) = (try #require(table.auto("standard")), try #require(table.grid))
      let (known, best, chosen) = (try #require(auto.known), try #require(grid.best), Int(auto.sweeps))
      #expect(grid.pictures.count == 9 * (2 + chosen) && grid.weight > 0)
      #expect(Set(grid.pictures.filter(\.isRelaxed).map(\.sweeps)) == [chosen, 2 * chosen])
      let own = try #require(grid.pictures.first { $0.factor == 1 && $0.isRelaxed && $0.sweeps == chosen })
      #expect(abs(own.known.psnr - known.psnr) < 0.5 && abs(grid.twice.psnr - known.psnr) < 0.5, "\(grid)")
      #expect(best.known.psnr < known.psnr + 1.2, "\(known) of \(best)")
      // Far from the rule's weight a picture is worse, so the best is no edge of the grid.
      #expect(best.factor > 0.25 && best.factor < 4, "\(best)")
    }
    let span = try #require(summary.overGrid), over = try #require(summary.overFBP)
    #expect(span.least <= span.most && span.count(atLeast: -1.2) == 4 && span.count(atLeast: span.most + 1) == 0)
    let differences = tables.map { ($0.auto("standard")?.known?.psnr ?? 0) - ($0.best("fbp")?.known?.psnr ?? 0) }
    #expect(over.least == differences.min() && differences[over.leastTable] == over.least && over.least > 0.5)
    #expect(summary.twice != nil && summary.overSIRT != nil && summary.detailOverFBP != nil)
  }

  @Test func `the same seed gives the same pictures, another one others`() throws {
    func pictures(seed: UInt64) throws -> [String: [Float]] {
      var pictures: [String: [Float]] = [:]
      let options = options {
        ($0.kinds, $0.columns, $0.angles, $0.slices, $0.seed) = ([.faintCracks, .smooth], 32, [20], 1, seed)
        ($0.noises, $0.iterations, $0.nonNegative) = ([.photons(1000)], [1], true)
      }
      _ = try QualityBenchmark(options, show: { pictures[$0.name] = $0.pixels }).run()
      #expect(pictures.removeValue(forKey: "smooth-data")?.count == 20 * 32)
      #expect(pictures.removeValue(forKey: "faint-cracks-data")?.count == 20 * 32)
      return pictures
    }
    let (first, again, other) = (try pictures(seed: 1), try pictures(seed: 1), try pictures(seed: 2))
    #expect(first == again && first != other)
    #expect(
      Set(["smooth-truth", "smooth-sirt-1", "faint-cracks-auto-fast-10"]).isSubset(of: first.keys), "\(first.keys)")
    #expect(first.values.allSatisfy { $0.count == 32 * 32 })
    #expect(first.allSatisfy { name, pixels in name.hasSuffix("truth") || pixels.allSatisfy { $0 >= 0 } })
  }

  @Test func `what cannot be measured is refused before anything is`() {
    let wrong: [(inout QualityBenchmark.Options) -> Void] = [
      { $0.columns = 31 }, { $0.columns = 2049 }, { $0.angles = [90, 3] }, { $0.slices = 0 }, { $0.slices = 65 },
      { $0.iterations = [] }, { $0.iterations = [0] }, { $0.kinds = [] },
      { $0.noises = [.relative(0.1), .relative(0)] },
      { $0.noises = [.relative(.nan)] }, { $0.rings = .nan }, { $0.axisError = 10 }, { $0.noises = [.photons(0)] },
      { $0.noises = [.photons(.infinity)] }, { $0.noises = [] }, { $0.angles = [] },
      { ($0.checks, $0.kinds) = (true, [.smooth]) },
      { ($0.checks, $0.noises) = (true, [.photons(1000)]) }, { ($0.checks, $0.columns) = (true, 64) },
      { ($0.grid, $0.file) = (true, .init(path: "scan.h5", row: nil, rotationAxis: nil)) },
    ]
    for change in wrong {
      #expect(throws: ScanFailure.self) { try QualityBenchmark(options(change)) }
    }
  }

  @Test func `an interrupt ends the measurement`() {
    struct Stop: Error {}
    #expect(throws: Stop.self) { try QualityBenchmark(options(), interrupt: { throw Stop() }).run() }
  }
}
