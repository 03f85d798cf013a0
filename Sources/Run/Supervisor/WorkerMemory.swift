import RunModel
import ScanPlan

/// What a worker was expected to have resident at most, and what it had. Shared memory that it touched is counted, so
/// the sum over a run's processes is more than the run takes.
package struct WorkerMemory: Codable, Equatable, Sendable {
  /// Computed before the run.
  package let estimateBytes: Int
  /// Its peak, as the kernel counts (VmHWM); nil where the worker did not finish, or its log cannot be read.
  package let peakBytes: Int?

  /// Of every worker of a run that is over, by its name.
  static func all(_ plan: RunPlan, _ folder: RunFolder) -> [String: WorkerMemory] {
    let stages = plan.placement.workers.indices.map { ($0, StageName.reconstruct($0)) }
    return Dictionary(
      uniqueKeysWithValues: stages.map { partition, stage in
        (
          "\(stage)",
          WorkerMemory(estimateBytes: MemoryEstimate.worker(partition, of: plan), peakBytes: peak(of: stage, folder))
        )
      })
  }

  /// A log that cannot be read is no reason to do without a result.
  private static func peak(of stage: StageName, _ folder: RunFolder) -> Int? {
    do { return try folder.usage(of: stage)?.peakBytes } catch { return nil }
  }
}
