import Benchmarks
import ScanPlan
import Testing

@Suite struct KernelBenchmarkTests {
  private func options(_ change: (inout KernelBenchmark.Options) -> Void = { _ in }) -> KernelBenchmark.Options {
    var options = KernelBenchmark.Options()
    options.shape = (12, 20, 40)
    options.seconds = 0
    change(&options)
    return options
  }

  @Test(arguments: [1, 2])
  func `a report holds what was asked for and rates that agree with each other`(threads: Int) throws {
    let report = try KernelBenchmark(
      options {
        $0.threads = threads
        $0.level = 2
        $0.lanes = 48
      }
    ).run()
    #expect(report.rounds == 3 && report.threads == threads && report.level == 2 && report.lanes == 48)
    #expect((report.angles, report.rows, report.columns) == (12, 20, 40))
    for rate in [
      report.forward, report.back, report.pair, report.update, report.core.forward, report.core.back, report.core.pair,
      report.core.update, report.fixedForward, report.fixedBack, report.fixedPair, report.core.fixedPair,
      report.core.multiplyAddCeiling, report.multiplyAddCeiling, report.loadCeiling, report.memoryBandwidth,
    ] {
      #expect(rate.median > 0 && rate.best >= rate.median && rate.best.isFinite)
    }
    #expect(report.pair.best <= 2 * max(report.forward.best, report.back.best))
    #expect(report.fixedPair.best <= 2 * max(report.fixedForward.best, report.fixedBack.best))
    #expect(report.variationPairs > 0 && report.variationFixedPairs > 0)
    let core = report.core
    #expect(report.fractionOfMultiplyAdds == core.pair.best / core.multiplyAddCeiling.best)
    #expect(report.fixedFractionOfMultiplyAdds == core.fixedPair.best / core.multiplyAddCeiling.best)
  }

  @Test(arguments: Algorithm.allCases.filter { $0 != .auto })
  func `each method's complete update is measured`(algorithm: Algorithm) throws {
    let report = try KernelBenchmark(options { $0.algorithm = algorithm }).run()
    let updates = Double(12 * 20 * 40 * 40) * (algorithm == .fbp ? 1 : 2) / 1e9
    #expect(report.algorithm == algorithm.rawValue && report.updateToProjections > 0)
    #expect(abs(report.update.best * report.updateSeconds.best / updates - 1) < 1e-9)
  }

  @Test func `what there is not is refused before anything is measured`() {
    let wrong: [(inout KernelBenchmark.Options) -> Void] = [
      { $0.shape.angles = 0 }, { $0.shape.rows = -1 }, { $0.shape.columns = 5001 }, { $0.lanes = 20 }, { $0.level = 1 },
      { $0.level = 9 },
      { $0.threads = 0 }, { $0.seconds = -.infinity }, { $0.seconds = .nan },
    ]
    for change in wrong {
      #expect(throws: ScanFailure.self) { try KernelBenchmark(options(change)) }
    }
  }

  @Test func `an interrupt ends the measurement`() {
    struct Stop: Error {}
    #expect(throws: Stop.self) { try KernelBenchmark(options(), interrupt: { throw Stop() }).run() }
  }
}
