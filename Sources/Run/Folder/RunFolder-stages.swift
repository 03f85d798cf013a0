import RunModel
import ScanPlan
import Stages

extension RunFolder {
  /// The folders that a stage of the run writes files to: whoever starts it again removes its temporary files there.
  func folders(writtenBy stage: StageName, _ plan: RunPlan) -> [String] {
    (plan.wiring.row(of: stage)?.files ?? []).map { files in
      switch files {
      case .run: path
      case .checkpoints: checkpoints
      case .output: plan.scan.outputFolder
      }
    }
  }
}
