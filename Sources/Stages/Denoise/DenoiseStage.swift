import Host
import Rings
import RunModel
package import Tomography
import Topics

/// Denoises the finished volume: follows the updates of all workers to their end, then fills the region `denoised` from
/// the top.
///
/// It needs no memory of its own between two processes: the region says which slices are complete, and each depends on
/// the volume alone.
package struct DenoiseStage {
  /// How it is done.
  enum Work {
    /// By one of our methods.
    case method(Denoising)
    /// By a program that this runs to its end; it fills the region and counts its slices.
    case program(() throws -> Void)
  }

  private let work: Work
  private let updates: [TopicReader]
  private let volumes: [VolumeRegion]
  private let limits: WaitLimits
  private let standing: (Int) -> WorkerStanding
  private let didWork: () -> Void
  private let output: DenoisedVolume
  private let writer: TopicWriter
  private let pool: ThreadPool

  /// One reader and one volume for each worker, in the order of their rows; `pool` must have no other user. `standing`
  /// says what is expected of each worker, `didWork` hears of every update and of every few slices.
  init(
    work: Work, updates: [TopicReader], volumes: [VolumeRegion], output: DenoisedVolume, writer: TopicWriter,
    pool: ThreadPool, limits: WaitLimits, standing: @escaping (Int) -> WorkerStanding, didWork: @escaping () -> Void
  ) {
    self.work = work
    self.output = output
    self.writer = writer
    self.pool = pool
    (self.updates, self.volumes, self.limits) = (updates, volumes, limits)
    (self.standing, self.didWork) = (standing, didWork)
  }

  /// Runs until the volume is denoised; then closes `denoised`. After a restart of the machine the volume is denoised
  /// again, and what was reported is not reported twice. A volume with missing rows is not denoised, because methods
  /// look at neighbouring slices: false, and `denoised` stays open for a run that is resumed.
  func run() throws -> Bool {
    let isReported = try writer.lastEvent()?.header.kind == .end
    var follower = UpdateFollower(updates: updates, limits: limits, standing: standing, didWork: didWork)
    while !follower.hasEnded { try follower.poll { _, _ in } }
    guard follower.missing.isEmpty else { return false }
    let ends = follower.ends
    guard var end = ends.first,
      try VolumeWait(limits: limits, stopRequested: { false }).wait(for: volumes, ends)
    else { preconditionFailure("nobody asks this stage to stop") }
    end.projections = ends.map(\.projections).min() ?? 0
    if end.projections > 0 {
      let generations = volumes.map(\.newest)
      try VolumeSource.check(volumes, generations)
      try denoise(VolumeSource(volumes: volumes))
      try VolumeSource.check(volumes, generations)
    }
    guard !isReported else { return true }
    try writer.append(kind: .end, timeout: limits.room, end.encode)
    try writer.flush()
    return true
  }

  private func denoise(_ source: VolumeSource) throws {
    precondition(source.count == output.slices && source.columns == output.columns, "a volume of another shape")
    // What a dead process left is believed as far as it is whole; of a program it is not, for that seals nothing.
    output.goBack(to: output.isNoiseWhole ? output.wholeSlices : 0)
    if output.complete == 0 { output.noise = noise(source) }
    guard output.complete < output.slices else { return }
    switch work {
    case .method(let method): apply(method, source)
    case .program(let run):
      try run()
      guard output.complete == output.slices else {
        throw StageError.program("it ended well, but counts \(output.complete) of \(output.slices) slices as complete")
      }
      output.seal(0..<output.slices)
    }
  }

  private func apply(_ method: Denoising, _ source: VolumeSource) {
    let executor = PoolExecutor(pool: pool), size = source.columns * source.columns
    let denoiser = Denoiser(method, columns: source.columns, noise: output.noise)
    let stack = UnsafeMutableBufferPointer<Float>.allocate(
      capacity: (Self.batch(pool.threadCount) + 2 * method.halo) * size)
    defer { stack.deallocate() }
    while output.complete < output.slices {
      let first = output.complete, end = min(first + Self.batch(pool.threadCount), output.slices)
      let slices = max(0, first - method.halo)..<min(end + method.halo, output.slices)
      for slice in slices {
        source.copy(
          slice,
          into: UnsafeMutableBufferPointer(
            rebasing: stack[(slice - slices.lowerBound) * size..<(slice - slices.lowerBound + 1) * size]))
      }
      denoiser.apply(
        UnsafeBufferPointer(rebasing: stack[..<(slices.count * size)]),
        range: first - slices.lowerBound..<end - slices.lowerBound,
        into: output.slice(first), executor: executor)
      output.seal(first..<end)
      output.markComplete(end)
      didWork()
      FaultPoint.slicesDenoised.reach()
    }
  }

  /// Slices between two marks; the bits do not depend on it.
  private static func batch(_ threads: Int) -> Int { max(4, threads) }

  private func noise(_ source: VolumeSource) -> Float {
    let size = source.columns * source.columns
    return noiseLevel(slices: source.count, columns: source.columns) { slices, target in
      for (number, slice) in slices.enumerated() {
        source.copy(
          slice, into: UnsafeMutableBufferPointer(rebasing: target[number * size..<(number + 1) * size]))
      }
    }
  }

  /// Bytes of the stage's own memory at its peak.
  package static func byteCount(_ method: Denoising, columns: Int, threads: Int) -> Int {
    (batch(threads) + 2 * method.halo) * columns * columns * MemoryLayout<Float>.stride
      + Denoiser.scratchByteCount(method, columns: columns, threads: threads)
  }
}
