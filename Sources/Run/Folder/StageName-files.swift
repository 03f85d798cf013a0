import ScanPlan

extension StageName {
  /// The folders that the stage writes files to.
  func fileFolders(_ plan: RunPlan, _ folder: RunFolder) -> [String] {
    switch self {
    case .acquire: [folder.path]
    case .correct, .distribute, .control, .denoise: []
    case .reconstruct: [folder.checkpoints]
    case .export: [plan.scan.outputFolder, folder.path]
    }
  }
}
