import RunModel
import ScanPlan

extension RunPlan {
  /// The saved generations of worker `partition`'s volume.
  func checkpoint(ofWorker partition: Int, in folder: RunFolder) -> VolumeCheckpoint {
    VolumeCheckpoint(
      folder: folder.checkpoints, runID: runID, partition: partition, layout: layout(ofWorker: partition),
      live: liveLayout(ofWorker: partition), coarse: coarseLayout(ofWorker: partition))
  }
}
