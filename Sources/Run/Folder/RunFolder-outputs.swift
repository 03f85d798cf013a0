package import ScanPlan
import Stages

// What a run has outside of its own folder, for who looks after the room there.
extension RunFolder {
  /// Files and folders that this run wrote, or its export or a resume, into its output folder: their absolute paths, as
  /// far as they are there, the list and the configuration last. None where other runs' results are there.
  package func outputs() throws(ScanFailure) -> [String] {
    guard isBegun else { return [] }
    let plan = try readPlan()
    return try OutputFolder.files(of: plan.runID, in: plan.scan.outputFolder)
  }

  /// Bytes that the results of the run here take at the most once all are written; nil where nothing is planned yet.
  package func outputByteCountMax() throws(ScanFailure) -> Int? {
    guard isBegun else { return nil }
    let plan = try readPlan(), export = plan.export, slices = plan.slices
    let samples = plan.geometry.columns * plan.geometry.columns
    let sampleByteCount =
      switch export.tiff {
      case .uint8: 1
      case .uint16: 2
      case .float32, nil: 4
      }
    return export.names(slices: slices).reduce(0) { sum, name in
      if name.hasSuffix(".tiff") { return sum + samples * sampleByteCount }
      // The smaller levels of a pyramid take a seventh.
      return sum + samples * slices * 4 * (name.hasSuffix(".zarr") ? 8 : 7) / 7
    }
  }
}
