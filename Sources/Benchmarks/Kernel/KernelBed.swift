internal import Host
import KernelTypes
import ScanPlan
internal import Synchronization
internal import Tomography

/// Rates of one round: GUPS, memory in GB/s.
struct KernelRound {
  var memory: Double
  /// By the clock, and by the time that processors worked.
  var wall: KernelRates, core: KernelRates
  var updateSeconds: Double
  /// An inner step of total variation, in pairs of projections over one angle, float and fixed: processor time.
  var variationPairs: Double, variationFixedPairs: Double
}

/// GUPS of each direction and of a complete update, and of what the processor does at most.
struct KernelRates {
  var multiplyAdds: Double, loads: Double
  var forward: Double, back: Double, update: Double
  var fixedForward: Double, fixedBack: Double
  /// Both directions one after the other.
  var pair: Double { 2 / (1 / forward + 1 / back) }
  /// The same in fixed point.
  var fixedPair: Double { 2 / (1 / fixedForward + 1 / fixedBack) }
}

/// Volume, data and workers of a kernel benchmark.
final class KernelBed {
  let layout: SliceLayout
  private let options: KernelBenchmark.Options
  private let executor: PoolExecutor
  private let projector: Projector, fixedProjector: Projector
  private let solver: any WindowSolver
  /// The angles of an update's steps: several for ordered subsets.
  private let steps: [[WindowAngle]]
  private let ceilings: [ProcessorCeilings]
  private let volume: ScratchMemory
  /// What updates write: as in a run, never the volume that they read.
  private let next: ScratchMemory
  /// What is backprojected and reconstructed, and what is projected.
  private let data: ScratchMemory, projected: ScratchMemory
  private let angles: [WindowAngle]
  private let variation: KernelVariation

  /// Memory that is read for the bandwidth, of all threads together: more than third-level caches hold.
  private static let memoryByteCount = 512 << 20
  /// Of OS-EM, as in final iterations.
  private static let subsets = 8

  init(_ options: KernelBenchmark.Options) throws {
    let (count, rows, columns) = options.shape
    guard options.algorithm != .auto else {
      throw ScanFailure(
        .usage, "--algorithm auto has no update that is like any other: bench quality measures its sweeps beside SIRT's"
      )
    }
    self.options = options
    layout = SliceLayout(columns: columns, rows: rows, lanes: options.lanes)
    let countMax = FixedPoint.anglesMax(layout)
    guard count <= countMax else {
      throw ScanFailure(.usage, "\(count) angles: at most \(countMax) of this shape")
    }
    executor = PoolExecutor(pool: try ThreadPool(threads: options.threads, cores: Affinity.current()))
    let beam = ParallelBeam(columns: columns, rotationAxis: 0.5 * Double(columns))
    projector = Projector(layout: layout, beam: beam, level: options.level)
    fixedProjector = Projector(
      layout: layout, beam: beam, level: options.level,
      fixedPoint: FixedPoint(layout: layout, anglesMax: count, workers: options.threads))
    // Away from 0 and π/4, where many weights are equal.
    let angles = (0..<count).map { WindowAngle(theta: 0.01 + .pi * Double($0) / Double(count), slot: $0) }
    self.angles = angles
    let subsets = options.algorithm == .osem ? min(Self.subsets, count) : 1
    steps = orderedSubsets(angleCount: count, subsets: subsets).map { group in group.map { angles[$0] } }
    solver = options.algorithm.method(diskMask: options.diskMask).solver(
      layout: layout, beam: beam, anglesMax: steps[0].count, threads: options.threads, level: options.level)
    ceilings = (0..<options.threads).map { _ in
      ProcessorCeilings(
        memoryByteCount: max(1 << 20, Self.memoryByteCount / options.threads & ~511), level: options.level)
    }
    volume = ScratchMemory(byteCount: layout.volumeByteCount)
    next = ScratchMemory(byteCount: layout.volumeByteCount)
    let sinogramByteCount = layout.blockCount * layout.sinogramBlockByteCount(slots: count)
    data = ScratchMemory(byteCount: sinogramByteCount)
    projected = ScratchMemory(byteCount: sinogramByteCount)
    variation = KernelVariation(layout: layout, threads: options.threads, level: options.level)
    fill()
  }

  /// Measures everything once, in turn.
  func round() -> KernelRound {
    let slots = angles.count, blocks = 0..<layout.blockCount
    let updates = Double(slots) * Double(layout.rows) * Double(layout.columns * layout.columns)
    let peak = together { $0.multiplyAdds() }, loads = together { $0.loadFromCache() },
      memory = together { $0.readMemory() }
    let forward = forward(projector), fixedForward = self.forward(fixedProjector)
    let update = time {
      for angles in steps {
        _ = solver.update(
          volume: volume.start, next: next.start, sinogram: data.start, slots: slots, blocks: blocks, angles: angles,
          iterations: 1,
          executor: executor)
      }
    }
    // Both volumes are written anew after it.
    let variation = time {
      self.variation.run(data: next.start, previous: volume.start, executor)
    }
    let fixedBack = back(fixedProjector, into: next), back = self.back(projector, into: volume)
    func rates(_ seconds: (Spent) -> Double) -> KernelRates {
      func rate(_ work: Double, _ spent: Spent) -> Double { work / seconds(spent) / 1e9 }
      return KernelRates(
        multiplyAdds: rate(peak.work / 2, peak.spent), loads: rate(loads.work / 2, loads.spent),
        forward: rate(updates, forward), back: rate(updates, back),
        update: rate(options.algorithm.directions * updates, update), fixedForward: rate(updates, fixedForward),
        fixedBack: rate(updates, fixedBack))
    }
    let core = rates(\.processor), step = variation.processor / Double(KernelVariation.innerSteps)
    func pairs(_ rate: Double) -> Double { step * rate * 1e9 * Double(slots) / (2 * updates) }
    return KernelRound(
      memory: memory.work / memory.spent.wall / 1e9, wall: rates(\.wall), core: core, updateSeconds: update.wall,
      variationPairs: pairs(core.pair), variationFixedPairs: pairs(core.fixedPair))
  }

  private func forward(_ projector: Projector) -> Spent {
    time {
      projector.forward(
        volume: volume.start, sinogram: projected.start, slots: angles.count, blocks: 0..<layout.blockCount,
        angles: angles, executor: executor)
    }
  }

  private func back(_ projector: Projector, into volume: ScratchMemory) -> Spent {
    time {
      projector.back(
        volume: volume.start, sinogram: data.start, slots: angles.count, blocks: 0..<layout.blockCount, angles: angles,
        executor: executor)
    }
  }

  /// Seconds by the clock, and of all processors.
  private typealias Spent = (wall: Double, processor: Double)

  /// Work of all threads at the same time.
  private func together(_ work: (ProcessorCeilings) -> Int) -> (work: Double, spent: Spent) {
    let total = Atomic(0)
    let spent = time {
      executor.forEach(count: ceilings.count) { total.wrappingAdd(work(ceilings[$0]), ordering: .relaxed) }
    }
    return (Double(total.load(ordering: .relaxed)), spent)
  }

  private func time(_ body: () -> Void) -> Spent {
    let (start, worked) = (Machine.monotonicNanoseconds, Machine.processorNanoseconds)
    body()
    let (end, workedUntil) = (Machine.monotonicNanoseconds, Machine.processorNanoseconds)
    return (Double(max(1, end - start)) / 1e9, Double(max(1, workedUntil - worked)) / 1e9)
  }

  /// Data without a zero; their backprojection is what the other measurements start from.
  private func fill() {
    var rows = [Float](repeating: 0, count: layout.rows * layout.columns)
    let slots = angles.count, blocks = 0..<layout.blockCount
    for slot in 0..<slots {
      let offset = Float(slot) * 1e-3
      for index in rows.indices { rows[index] = Float((index &* 7919) % 1013) * 1e-3 + offset }
      layout.storeProjection(rows, blocks: blocks, slot: slot, slots: slots, into: data.start)
    }
    projector.back(
      volume: volume.start, sinogram: data.start, slots: slots, blocks: blocks, angles: angles, executor: executor)
  }
}

extension Algorithm {
  /// As in final iterations; the time does not depend on a penalty's numbers.
  fileprivate func method(diskMask: Bool) -> Method {
    switch self {
    case .auto: preconditionFailure("auto has no update of its own")
    case .sirt: .sirt(SIRTOptions(diskMask: diskMask))
    case .mlem, .osem: .expectationMaximisation(EMOptions(diskMask: diskMask))
    case .pmlQuadratic: .expectationMaximisation(EMOptions(penalty: .quadratic(strength: 1), diskMask: diskMask))
    case .pmlHybrid: .expectationMaximisation(EMOptions(penalty: .hybrid(strength: 1, delta: 1), diskMask: diskMask))
    case .fbp: .filteredBackprojection(FBPOptions(diskMask: diskMask))
    case .cgls: .conjugateGradients(CGLSOptions(diskMask: diskMask))
    }
  }

  /// Projections that a complete update is made of: FBP needs no A x.
  var directions: Double { self == .fbp ? 1 : 2 }
}
