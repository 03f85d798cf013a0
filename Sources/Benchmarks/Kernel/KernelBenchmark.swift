internal import Host
import KernelTypes
package import ScanPlan
internal import Tomography

/// Measures the projector and a solver's update on random slices, in turn with what the processor can do at most.
package struct KernelBenchmark {
  /// What to measure.
  package struct Options: Sendable {
    /// Projections, detector rows and columns.
    package var shape = (angles: 180, rows: 64, columns: 1024)
    /// Whose complete update is measured.
    package var algorithm = Algorithm.sirt
    /// Whether voxels outside the inscribed disk take part.
    package var diskMask = false
    /// Threads that work, pinned to as many cores; 1 … 1024.
    package var threads = 1
    /// Slices interleaved in a block; what suits the rows if nil.
    package var lanes: Int?
    /// x86-64 level of the instructions; the processor's own if nil.
    package var level: Int?
    /// Rounds are begun for so long; at least three are measured.
    package var seconds = 10.0

    /// Those that have such updates: auto's sweeps are measured by `bench quality`.
    package static let algorithms = Algorithm.allCases.filter { $0 != .auto }

    /// The shape of design and README on one thread.
    package init() {}
  }

  private let options: Options
  private let interrupt: () throws -> Void

  /// `interrupt` is called between measurements and may throw to end them. Throws `ScanFailure` (usage) for a shape,
  /// level or number of lanes or threads that there is not, or that memory does not hold.
  package init(_ options: Options, interrupt: @escaping () throws -> Void = {}) throws {
    try Self.check(options)
    self.options = options
    self.interrupt = interrupt
  }

  /// Measures; takes about `seconds`, longer where three rounds do.
  package func run() throws -> KernelReport {
    let bed = try KernelBed(options)
    try interrupt()
    var rounds: [KernelRound] = []
    let deadline = Deadline(after: .milliseconds(Int(options.seconds * 1000)))
    _ = bed.round()
    while rounds.count < Self.roundsMin || (!deadline.hasPassed && rounds.count < Self.roundsMax) {
      try interrupt()
      rounds.append(bed.round())
    }
    return report(rounds, bed)
  }

  private static let roundsMin = 3, roundsMax = 1000

  private func report(_ rounds: [KernelRound], _ bed: KernelBed) -> KernelReport {
    func rate(_ value: (KernelRound) -> Double) -> KernelReport.Rate {
      let values = rounds.map(value).sorted()
      return KernelReport.Rate(best: values.last!, median: values[values.count / 2])
    }
    let seconds = rounds.map(\.updateSeconds).sorted(), isPair = options.algorithm.directions == 2
    let core = KernelReport.CoreRates(
      forward: rate(\.core.forward), back: rate(\.core.back), pair: rate(\.core.pair), update: rate(\.core.update),
      fixedForward: rate(\.core.fixedForward), fixedBack: rate(\.core.fixedBack), fixedPair: rate(\.core.fixedPair),
      multiplyAddCeiling: rate(\.core.multiplyAdds), loadCeiling: rate(\.core.loads))
    return KernelReport(
      processor: Machine.processorName, build: buildName, level: options.level ?? Projector.processorLevel,
      threads: options.threads,
      angles: options.shape.angles, rows: options.shape.rows, columns: options.shape.columns, lanes: bed.layout.lanes,
      rounds: rounds.count,
      forward: rate(\.wall.forward), back: rate(\.wall.back), pair: rate(\.wall.pair), update: rate(\.wall.update),
      fixedForward: rate(\.wall.fixedForward), fixedBack: rate(\.wall.fixedBack), fixedPair: rate(\.wall.fixedPair),
      core: core, updateSeconds: KernelReport.Rate(best: seconds[0], median: seconds[seconds.count / 2]),
      algorithm: options.algorithm.rawValue,
      diskMask: options.diskMask,
      multiplyAddCeiling: rate(\.wall.multiplyAdds), loadCeiling: rate(\.wall.loads), memoryBandwidth: rate(\.memory),
      fractionOfMultiplyAdds: core.pair.best / core.multiplyAddCeiling.best,
      fractionOfLoads: core.pair.best / core.loadCeiling.best,
      fixedFractionOfMultiplyAdds: core.fixedPair.best / core.multiplyAddCeiling.best,
      fixedFractionOfLoads: core.fixedPair.best / core.loadCeiling.best,
      fixedToFloat: rate { $0.core.fixedPair / $0.core.pair }.median,
      updateToProjections: rate { $0.core.update / (isPair ? $0.core.pair : $0.core.back) }.median,
      variationPairs: rate(\.variationPairs).median, variationFixedPairs: rate(\.variationFixedPairs).median)
  }

  private static func check(_ options: Options) throws {
    let (angles, rows, columns) = options.shape
    guard (1...100_000).contains(angles), (1...10_000).contains(rows), (1...SliceLayout.columnsMax).contains(columns)
    else {
      throw ScanFailure(
        .usage,
        "a shape of \(angles),\(rows),\(columns): 1…100000 angles, 1…10000 rows, 1…\(SliceLayout.columnsMax) columns")
    }
    guard (1...1024).contains(options.threads) else { throw ScanFailure(.usage, "\(options.threads) threads: 1…1024") }
    if let lanes = options.lanes, !SliceLayout.isPossible(lanes: lanes) {
      throw ScanFailure(.usage, "\(lanes) lanes: 2, 4 or a multiple of 16 up to 256")
    }
    if let level = options.level, !(2...Projector.processorLevel).contains(level) {
      throw ScanFailure(.usage, "level \(level): this processor has 2…\(Projector.processorLevel)")
    }
    guard options.seconds >= 0, options.seconds <= 3600 else {
      throw ScanFailure(.usage, "\(options.seconds) seconds: 0…3600")
    }
  }
}
