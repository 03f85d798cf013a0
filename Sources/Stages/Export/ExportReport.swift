/// What a complete export wrote. The checksum is of the volume, not of a file: equal volumes have equal checksums whatever
/// they were written as.
public struct ExportReport: Codable, Equatable, Sendable {
  /// Paths of the files, slices first.
  public var outputs: [String]
  /// Whether they were read back from the disk and are what was written.
  public var isChecked: Bool
  /// SHA-256 over every slice from top to bottom, as little-endian Float, row by row.
  public var volumeSHA256: String
  /// The same of the denoised volume; nil where there is none.
  public var denoisedSHA256: String?
  /// Why the scan ended.
  public var stoppedBy: String
  /// Projections that every worker used.
  public var projections: Int
  /// Projections that were acquired and not used by every worker.
  public var lost: Int
  /// Flat and dark fields that were acquired and not used by every worker.
  public var lostFields: Int
  /// Events that came twice and were dropped.
  public var duplicates: Int
  /// Windowed updates and final iterations.
  public var updates: Int
  /// ‖b − A x‖ / ‖b‖ before each windowed update, over the update's window.
  public var windowResiduals: [Double]
  /// The same before each iteration over all projections.
  public var finalResiduals: [Double]
  /// NaN or infinite pixels that were replaced.
  public var nonFinitePixels: Int
  /// Pixels at or below the dark field.
  public var clampedPixels: Int
  /// Pixels of the detector whose dark field is not below their flat field.
  public var deadPixels: Int
  /// Line integrals below zero that became zero, for methods that need it.
  public var negativePixels: Int
}
