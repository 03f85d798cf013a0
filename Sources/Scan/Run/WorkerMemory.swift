/// What a worker was expected to have resident at most, and what it had. Shared memory that it touched is counted, so the sum over a run's
/// processes is more than the run takes.
public struct WorkerMemory: Codable, Equatable, Sendable {
  /// Computed before the run.
  public let estimateBytes: Int
  /// Its peak, as the kernel counts (VmHWM); nil where the worker did not finish, or its log cannot be read.
  public let peakBytes: Int?

  /// Of every worker of a run that is over, by its name.
  static func all(_ plan: RunPlan, _ folder: RunFolder) throws -> [String: WorkerMemory] {
    var all: [String: WorkerMemory] = [:]
    for partition in plan.placement.workers.indices {
      let stage = StageName.reconstruct(partition)
      all["\(stage)"] = WorkerMemory(
        estimateBytes: MemoryEstimate.worker(partition, of: plan), peakBytes: try folder.usage(of: stage)?.peakBytes)
    }
    return all
  }
}
