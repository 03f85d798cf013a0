import Host
import ScanPlan

// Whether the disk is mounted that a folder of the run lay on. Its mount point without it is an empty folder too, on
// the disk above: what was written there would be on no disk of its own, and hidden once the disk is back.
extension RunMirror {
  /// Why this folder, empty now, is not to be filled; nil where it is not empty, or on a disk on which it may be.
  func unmounted(_ plan: RunPlan, _ folder: RunFolder) -> ScanFailure? {
    guard !isOf(plan), CopyFolders.isEmpty(path) else { return nil }
    return plan.disks?.objection(to: path, of: path, beside: copies(plan) + [folder.path]).map { failure(path, $0) }
  }

  /// Why the run's own folder is not to be made again from this one; nil where it may be.
  func unmounted(_ folder: RunFolder) -> ScanFailure? {
    guard let plan = try? RunFolder(path: path).readPlan() else { return nil }
    let own = plan.scan.runFolder ?? folder.path
    return plan.disks?.objection(to: folder.path, of: own, beside: copies(plan)).map { failure(folder.path, $0) }
  }

  /// The copies that are there.
  private func copies(_ plan: RunPlan) -> [String] {
    let all = (RunMirror(plan).map { [$0] } ?? []) + (RunParity(plan)?.roots ?? [])
    return all.filter { $0.isOf(plan) }.map(\.path)
  }

  private func failure(_ path: String, _ other: String) -> ScanFailure {
    ScanFailure(
      .noInput,
      "\(path) is on the disk of \(other), and was on one of its own: mount that one, or put another disk there; "
        + "'slipring journal mend --any-disk' fills the folder where it is")
  }
}

extension RunJournals {
  /// Why empty folders of copies are not filled, a line for each.
  package var unmounted: [String] {
    let all = (RunMirror(plan).map { [$0] } ?? []) + (RunParity(plan)?.roots ?? [])
    return all.compactMap { $0.unmounted(plan, folder)?.description }
  }
}
