import Journal
import Stages

extension RunPlan {
  /// Files that one process of the run has open at a time, at most. It does not grow with the scan: of a journal's
  /// segments a few are open at a time.
  var descriptorsNeeded: Int {
    let wiring = wiring
    let stages = wiring.stages.map { stage in
      Self.descriptorsOfProcess + wiring.inputs(of: stage).count * Self.descriptorsOfReader
        + wiring.outputs(of: stage).count * Self.descriptorsOfWriter
    }
    // The supervisor has a process's descriptor and a pipe for each stage, beside its own log, lock and page.
    let supervisor = Self.descriptorsOfProcess + wiring.stages.count * Self.descriptorsOfChild
    return max(supervisor, stages.max() ?? 0)
  }

  /// Streams, logs, signals, the source, a file that is written.
  private static let descriptorsOfProcess = 24
  /// The folder of a journal and its segments.
  private static let descriptorsOfReader = 1 + JournalReader.descriptorsMax
  /// The same, for taking the journal over, and what the writer has open.
  private static let descriptorsOfWriter = 1 + JournalReader.descriptorsMax + 4
  private static let descriptorsOfChild = 2
}
