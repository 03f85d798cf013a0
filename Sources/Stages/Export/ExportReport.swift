package import RunModel

/// What a complete export wrote. The checksum is of the volume, not of a file: equal volumes have equal checksums
/// whatever they were written as.
package struct ExportReport: Equatable, Sendable {
  /// Paths of the files, slices first.
  package var outputs: [String]
  /// Whether they were read back from the disk and are what was written.
  package var isChecked: Bool
  /// SHA-256 over every slice from top to bottom, as little-endian Float, row by row.
  package var volumeSHA256: String
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
  /// Pixels that were corrected, over all workers.
  package var pixels: PixelCounts
  /// How well the final iterations fit each row, from the first slice on; none where they do not tell it.
  package var fits: [RowFit] = []
  /// Rows that could not be reconstructed, which hold no numbers.
  package var missingRows: [RowRange] = []
  /// What the least and the greatest integer of the files stand for; nil where there are no integers.
  package var range: [Float]?
}
