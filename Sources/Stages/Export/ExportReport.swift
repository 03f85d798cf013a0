package import RunModel

/// What a complete export wrote. The checksum is of the volume, not of a file: equal volumes have equal checksums
/// whatever they were written as. It is that of the values in a file of floats.
package struct ExportReport: Equatable, Sendable {
  /// Paths of the files, slices first.
  package var outputs: [String]
  /// Whether they were read back from the disk and are what was written.
  package var isChecked: Bool
  /// SHA-256 over every slice from top to bottom, as little-endian Float in the files' unit, row by row.
  package var volumeSHA256: String
  /// The same of each part, from top to bottom; none where the volume has no parts.
  package var partsSHA256: [String] = []
  /// The same of the denoised volume; nil where there is none.
  package var denoisedSHA256: String?
  /// Why the scan ended.
  package var stoppedBy: String
  /// Projections that every worker used.
  package var projections: Int
  /// Projections that were acquired and not used by every worker.
  package var lost: Int
  /// Flat and dark fields that were acquired and not used by every worker.
  package var lostFields: Int
  /// Events that came twice and were dropped.
  package var duplicates: Int
  /// Windowed updates and final iterations.
  package var updates: Int
  /// ‖b − A x‖ / ‖b‖ before each windowed update, over the update's window.
  package var windowResiduals: [Double]
  /// The same before each iteration over all projections.
  package var finalResiduals: [Double]
  /// How updates kept up with the projections; nil where no window told.
  package var pace: PaceReport?
  /// Pixels that were corrected, over all workers.
  package var pixels: PixelCounts
  /// How well the final iterations fit each row, from the first slice on; none where they do not tell it.
  package var fits: [RowFit] = []
  /// Rows that could not be reconstructed, which hold no numbers.
  package var missingRows: [RowRange] = []
  /// What the least and the greatest integer of the files stand for; nil where there are no integers.
  package var range: [Float]?
  /// The rotation axis that was found while the scan went on, in pixels from the detector's left edge; nil where the
  /// plan knows it.
  package var rotationAxis: Double?
  /// Its standard error in the same.
  package var rotationAxisError: Double?
}

extension ExportReport {
  /// The axis that was found while the scan went on, in pixels of the detector.
  package var axis: FoundAxis? { rotationAxis.map { FoundAxis($0, error: rotationAxisError ?? 0) } }
}
