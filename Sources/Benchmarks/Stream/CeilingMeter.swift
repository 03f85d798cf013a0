internal import Host
internal import Synchronization
internal import Tomography

/// What all cores that a run may use can do at most, measured at the same time.
struct CeilingMeter {
  private let executor: PoolExecutor
  private let ceilings: [ProcessorCeilings]

  /// More memory than third-level caches hold.
  private static let memoryByteCount = 512 << 20
  private static let rounds = 5

  init(threads: Int) throws {
    executor = PoolExecutor(pool: try ThreadPool(threads: threads, cores: Affinity.current()))
    ceilings = (0..<threads).map { _ in
      ProcessorCeilings(memoryByteCount: max(1 << 20, Self.memoryByteCount / threads & ~511))
    }
  }

  /// The best of some rounds: updates of a voxel by a projection, two multiply-adds each, and bytes read, a second.
  func measure() -> (updates: Double, bytes: Double) {
    var best = (updates: 0.0, bytes: 0.0)
    for _ in 0..<Self.rounds {
      best.updates = max(best.updates, rate { $0.multiplyAdds() } / 2)
      best.bytes = max(best.bytes, rate { $0.readMemory() })
    }
    return best
  }

  private func rate(_ work: (ProcessorCeilings) -> Int) -> Double {
    let total = Atomic(0), start = Machine.monotonicNanoseconds
    executor.forEach(count: ceilings.count) { total.wrappingAdd(work(ceilings[$0]), ordering: .relaxed) }
    return Double(total.load(ordering: .relaxed)) * 1e9 / Double(max(1, Machine.monotonicNanoseconds - start))
  }
}
