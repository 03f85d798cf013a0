import Glibc
import Host
import KernelTypes
import Stages
import Tomography

/// How fast this machine's cores reconstruct, measured for a moment.
struct SpeedEstimate {
  /// Processor time for one projection of one lane of one column squared, once forward and back, in one update.
  private let secondsPerVoxel: Double
  /// Processor time for one lane of one column squared of a spread window, with all its iterations and its part of the
  /// smoothing; nil where windows slide.
  private let secondsPerWindow: Double?
  /// Time of a final iteration over a projection, in that of an update.
  private let sweep: Double
  /// Time of what the final iterations start with, in that of one of them.
  private let beginning: Double

  private static let anglesMax = 24

  /// Measures updates of one block on the calling thread, and spread windows on a worker's threads, in processor time:
  /// other work on the machine makes it no slower. The grid of the final iterations has `padding` pixels more than the
  /// detector at each side. Throws where there is no thread to be had.
  init(_ plan: RunPlan, padding: Int) throws(HostError) {
    let bed = Bed(plan), windows = plan.windows, methods = plan.reconstruction(ofWorker: 0).methods
    let projections = max(plan.shape.projections, 1)
    let slots = windows.spread == nil ? windows.slots(projections: projections) : 0
    secondsPerWindow =
      windows.spread == nil
      ? nil
      : try SpreadWindowBed(plan).secondsPerVoxel(
        methods.window, angles: Self.angleCount(of: windows, projections: projections), iterations: windows.iterations)
    let count = min(slots > 0 ? slots : projections, Self.anglesMax)
    switch methods.final {
    case .iterations(let method, _):
      secondsPerVoxel = slots > 0 ? bed.seconds(ofSliding: methods.window, count) : bed.seconds(of: method, count)
      (sweep, beginning) = (1, 0)
    case .subsets(let options, _):
      secondsPerVoxel = bed.seconds(ofSliding: methods.window, count)
      let subset = max(1, projections / options.subsetCount(angles: projections))
      // What a subset needs beside its angles, the penalty, does not depend on how many these are.
      let measured = min(subset, Self.anglesMax)
      let (step, start) = bed.seconds(of: options, measured, padding: padding)
      let grid = Double(plan.geometry.columns + 2 * padding) / Double(plan.geometry.columns), pixels = grid * grid
      let excess = max(0, step / secondsPerVoxel - pixels) * Double(measured)
      sweep = pixels + excess / Double(subset)
      beginning = start / secondsPerVoxel
    }
  }

  /// Projections that an update of a full window goes through.
  static func angleCount(of windows: WindowSchedule, projections: Int) -> Int {
    windows.step == 0 ? 0 : min(windows.projectionsPerUpdate, projections)
  }

  /// Seconds that the slowest worker takes at least for an update of so many projections: its threads share caches and
  /// memory, which are not measured.
  func seconds(_ plan: RunPlan, projections: Int, iterations: Int) -> Double {
    secondsPerVoxel * Double(projections) * voxelsPerThread(plan) { $0.layout } * Double(iterations)
  }

  /// Seconds that the slowest worker takes at least for an update while the scan runs.
  func updateSeconds(_ plan: RunPlan) -> Double {
    let iterations = plan.windows.iterations
    let voxels = voxelsPerThread(plan) { $0.windowLayout }
    guard let secondsPerWindow else {
      let projections = plan.windows.slots(projections: plan.shape.projections)
      return secondsPerVoxel * Double(projections) * voxels * Double(iterations)
    }
    return secondsPerWindow * voxels
  }

  /// Voxels of all lanes that a thread of the slowest worker has, however they lie then.
  private func voxelsPerThread(
    _ plan: RunPlan, _ layout: (ReconstructStage.Configuration) -> SliceLayout
  ) -> Double {
    let places = plan.placement.workers
    // The bands of a worker share its cores.
    return Dictionary(grouping: places.indices) { places[$0].worker ?? $0 }.values.map { bands in
      let voxels = bands.reduce(0.0) { sum, band in
        let layout = layout(plan.reconstruction(ofWorker: band))
        return sum + Double(layout.laneCount) * Double(layout.columns * layout.columns)
      }
      let cores = bands.count > 1 ? Set(bands.flatMap { places[$0].cores }).count : places[bands[0]].threads
      return voxels / Double(cores)
    }.max() ?? 0
  }

  /// Seconds of all final iterations, likewise.
  func finalSeconds(_ plan: RunPlan) -> Double {
    let iterations = plan.finalIterationCount()
    guard iterations > 0 else { return 0 }
    return (sweep * Double(iterations) + beginning)
      * seconds(plan, projections: plan.shape.projections, iterations: 1)
  }
}

/// One block to be measured on.
private struct Bed {
  private let layout: SliceLayout
  /// Of a slab where slices are penalised together; its lanes are more than the block's.
  private let slab: SliceLayout?
  private let beam: ParallelBeam
  /// Its columns over those of the detector.
  private let scale: Double

  private static let columnsMax = 512
  private static let tries = 3

  init(_ plan: RunPlan) {
    scale = min(1, Double(Self.columnsMax) / Double(plan.geometry.columns))
    let layout = plan.layout(ofWorker: 0), columns = min(plan.geometry.columns, Self.columnsMax)
    self.layout = SliceLayout(columns: columns, rows: layout.rows(of: 0..<1).count, lanes: layout.lanes)
    slab = plan.scan.slabs(rows: plan.shape.rows)?.layout(like: self.layout)
    beam = ParallelBeam(columns: columns, rotationAxis: 0.5 * Double(columns))
  }

  /// Of an angle of an iteration over so many, the same ones each time.
  func seconds(of method: Method, _ count: Int) -> Double { seconds(of: method, count, areNew: false) }

  /// Of an angle of a window of so many, which each time are others.
  func seconds(ofSliding method: Method, _ count: Int) -> Double { seconds(of: method, count, areNew: true) }

  /// As a worker goes from one generation of the volume to the next. Angles that are new need new weights.
  private func seconds(of method: Method, _ count: Int, areNew: Bool) -> Double {
    let solver = method.solver(layout: layout, beam: beam, anglesMax: count, threads: 1)
    var (volume, next) = (slices(), slices()), turn = 0.0
    let data = projections(count)
    return best(angles: count) {
      _ = solver.update(
        volume: volume.start, next: next.start, sinogram: data.start, slots: count, blocks: 0..<1,
        angles: angles(count, turned: turn), iterations: 1, executor: SerialExecutor())
      if areNew { turn += 1e-3 }
      swap(&volume, &next)
    }
  }

  /// Of a subset of so many angles, and of the start, with `padding` pixels of the detector on each side of the grid.
  func seconds(of options: SubsetOptions, _ subset: Int, padding: Int) -> (step: Double, start: Double) {
    var options = options
    (options.subsets, options.doubledSweeps, options.sweeps) = (2, 0, Self.tries)
    let count = 2 * subset, layout = slab ?? layout, data = filled(layout.sinogramBlockByteCount(slots: count))
    let solver = SubsetSolver(
      layout: layout, beam: beam, options: options, angles: angles(count),
      padding: Int((scale * Double(padding)).rounded(.up)), threads: 1)
    let start = best(angles: count) {
      solver.begin(block: 0, sinogram: data.start, slots: count, noise: nil, executor: SerialExecutor())
    }
    return (best(angles: subset) { _ = solver.step(executor: SerialExecutor()) }, start)
  }

  private func slices() -> ScratchMemory { filled(layout.volumeByteCount) }

  private func projections(_ count: Int) -> ScratchMemory { filled(layout.sinogramBlockByteCount(slots: count)) }

  /// Memory that nobody has written is one page of zeros for all of it, and never leaves the cache.
  private func filled(_ byteCount: Int) -> ScratchMemory {
    let memory = ScratchMemory(byteCount: byteCount)
    memory.start.initializeMemory(as: Float.self, repeating: 1, count: byteCount / MemoryLayout<Float>.stride)
    return memory
  }

  private func angles(_ count: Int, turned turn: Double = 0) -> [WindowAngle] {
    (0..<count).map { WindowAngle(theta: 0.01 + turn + .pi * Double($0) / Double(count), slot: $0) }
  }

  /// The shortest time of some tries, over angles and voxels.
  private func best(angles: Int, _ body: () -> Void) -> Double {
    var best = Double.infinity
    // The first one meets the memory.
    for attempt in 0...Self.tries {
      let start = Self.processorSeconds
      body()
      if attempt > 0 { best = min(best, Self.processorSeconds - start) }
    }
    return best / (Double(angles) * Double(layout.laneCount) * Double(layout.columns * layout.columns))
  }

  /// Of the calling thread.
  private static var processorSeconds: Double {
    var time = timespec()
    let result = clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    precondition(result == 0, "clock_gettime: \(errno)")
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
