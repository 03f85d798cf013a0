import Glibc
import Host
import KernelTypes
import Tomography

/// A worker's first blocks, to measure spread windows on as a run makes them: so few projections run at the speed of
/// memory, which a worker's threads share, and which is slower where a volume lies on small pages, as it mostly does in
/// /dev/shm.
struct SpreadWindowBed {
  private let layout: SliceLayout
  private let beam: ParallelBeam
  private let threads: Int
  private let cores: [Int]

  /// Of a block's edge, and blocks: more than caches hold, and no more memory than a small run has.
  private static let (columnsMax, blocksMax) = (512, 2)
  private static let tries = 5

  /// Throws where the cores are not to be found out.
  init(_ plan: RunPlan) throws(HostError) {
    let layout = plan.windowLayout(ofWorker: 0), columns = min(layout.columns, Self.columnsMax)
    let rows = layout.rows(of: 0..<min(layout.blockCount, Self.blocksMax)).count
    self.layout = SliceLayout(columns: columns, rows: rows, lanes: layout.lanes)
    beam = ParallelBeam(columns: columns, rotationAxis: 0.5 * Double(columns))
    cores = try Affinity.current()
    threads = min(plan.placement.workers[0].threads, cores.count)
  }

  /// Processor time for one lane of one column squared of an update over so many projections, each time others, with
  /// all its iterations and its part of the smoothing. Throws where there is no thread to be had.
  func secondsPerVoxel(_ method: Method, angles count: Int, iterations: Int) throws(HostError) -> Double {
    let executor = PoolExecutor(pool: try ThreadPool(threads: threads, cores: cores))
    let solver = method.solver(layout: layout, beam: beam, anglesMax: count, threads: threads)
    let smoothing = method.smoothing(layout: layout, threads: threads)
    let data = ScratchMemory(byteCount: layout.blockCount * layout.sinogramBlockByteCount(slots: count))
    fill(data.start, layout.blockCount * layout.sinogramBlockByteCount(slots: count))
    var (volume, next) = (SmallPages(layout.volumeByteCount), SmallPages(layout.volumeByteCount)), turn = 0.0
    for pages in [volume, next] { fill(pages.start, layout.volumeByteCount) }
    let update = median {
      turn += 1e-3
      _ = solver.update(
        volume: volume.start, next: next.start, sinogram: data.start, slots: count, blocks: 0..<layout.blockCount,
        angles: angles(count, turned: turn), iterations: iterations, executor: executor)
      swap(&volume, &next)
    }
    guard let smoothing else { return update }
    let smoothed = median {
      smoothing.apply(
        volume.start, sinogram: data.start, slots: count, angles: angles(count, turned: turn), seen: 1,
        spread: AngularSpread(count: 1, reach: 1), executor: executor)
    }
    return update + smoothed / Double(WindowSmoothing.Schedule.standard.updates)
  }

  private func angles(_ count: Int, turned turn: Double) -> [WindowAngle] {
    let all = (0..<count).map { WindowAngle(theta: 0.01 + turn + .pi * Double($0) / Double(count), slot: $0) }
    return AngularSpread.together(newest: Array(all.prefix(1)), others: Array(all.dropFirst()))
  }

  /// Memory that nobody has written is one page of zeros for all of it, and never leaves the cache.
  private func fill(_ start: UnsafeMutableRawPointer, _ byteCount: Int) {
    start.initializeMemory(as: Float.self, repeating: 1, count: byteCount / MemoryLayout<Float>.stride)
  }

  /// The median of some tries, over voxels: a run has all of them. The first one meets the memory.
  private func median(_ body: () -> Void) -> Double {
    var seconds: [Double] = []
    for attempt in 0...Self.tries {
      let start = Self.processorSeconds
      body()
      if attempt > 0 { seconds.append(Self.processorSeconds - start) }
    }
    return seconds.sorted()[Self.tries / 2] / (Double(layout.laneCount) * Double(layout.columns * layout.columns))
  }

  /// Of all threads of this process.
  private static var processorSeconds: Double {
    var time = timespec()
    let result = clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    precondition(result == 0, "clock_gettime: \(errno)")
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}

/// Memory without the advice that would put it on huge pages.
private final class SmallPages {
  let start: UnsafeMutableRawPointer

  init(_ byteCount: Int) { start = .allocate(byteCount: byteCount, alignment: 4096) }

  deinit { start.deallocate() }
}
