import Glibc
import KernelTypes
import Stages
import Tomography

/// How fast this machine's cores reconstruct, measured on one of them for a moment.
struct SpeedEstimate {
  /// Processor time for one projection of one lane of one column squared, once forward and back, in one update.
  private let secondsPerVoxel: Double

  private static let columnsMax = 512
  private static let anglesMax = 24
  private static let tries = 3

  /// Measures an update of one block on the calling thread, in its processor time: other work on the machine makes it
  /// no slower.
  init(_ plan: RunPlan) {
    let configuration = plan.reconstruction(ofWorker: 0)
    let columns = min(plan.shape.columns, Self.columnsMax)
    let rows = configuration.layout.rows(of: 0..<1).count
    let layout = SliceLayout(columns: columns, rows: rows, lanes: configuration.layout.lanes)
    let slots = configuration.windowSlots
    let count = min(slots > 0 ? slots : plan.shape.projections, Self.anglesMax)
    let angles = (0..<count).map { WindowAngle(theta: 0.01 + .pi * Double($0) / Double(count), slot: $0) }
    let method = slots > 0 ? configuration.methods.window : configuration.methods.final
    let solver = method.solver(
      layout: layout, beam: ParallelBeam(columns: columns, rotationAxis: 0.5 * Double(columns)), anglesMax: count,
      threads: 1)
    let (volume, next) = (
      ScratchMemory(byteCount: layout.volumeByteCount), ScratchMemory(byteCount: layout.volumeByteCount)
    )
    let data = ScratchMemory(byteCount: layout.sinogramBlockByteCount(slots: count))
    var best = Double.infinity
    // The first one meets the memory.
    for attempt in 0...Self.tries {
      let start = Self.processorSeconds
      _ = solver.update(
        volume: volume.start, next: next.start, sinogram: data.start, slots: count, blocks: 0..<1, angles: angles,
        iterations: 1,
        executor: SerialExecutor())
      if attempt > 0 { best = min(best, Self.processorSeconds - start) }
    }
    secondsPerVoxel = best / (Double(count) * Double(layout.laneCount) * Double(columns * columns))
  }

  /// Seconds that the slowest worker takes at least for an update of so many projections: its threads share caches and
  /// memory, which are not measured.
  func seconds(_ plan: RunPlan, projections: Int, iterations: Int) -> Double {
    let perThread =
      plan.placement.workers.enumerated().map {
        Double(plan.reconstruction(ofWorker: $0).layout.laneCount) / Double($1.threads)
      }.max() ?? 0
    return secondsPerVoxel * Double(projections) * perThread * Double(plan.shape.columns * plan.shape.columns)
      * Double(iterations)
  }

  /// Of the calling thread.
  private static var processorSeconds: Double {
    var time = timespec()
    let result = clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    precondition(result == 0, "clock_gettime: \(errno)")
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
