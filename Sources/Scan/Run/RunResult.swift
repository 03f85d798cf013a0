/// What `--json` prints of a run.
public struct RunResult: Codable, Equatable, Sendable {
  /// The run's identifier.
  public var run: String
  /// Projections that were used.
  public var projections: Int
  /// Windowed updates and final iterations.
  public var updates: Int
  /// From the start of the stages to the last byte of the export.
  public var seconds: Double
  /// Projections over seconds.
  public var projectionsPerSecond: Double
  /// Projections that were acquired and not used.
  public var lost: Int
  /// Flat and dark fields that were acquired and not used.
  public var lostFields: Int
  /// Events that came twice and were dropped.
  public var duplicates: Int
  /// How often each stage was restarted.
  public var restarts: [String: Int]
  /// Estimate and peak of the memory of each worker.
  public var memory: [String: WorkerMemory]
  /// Why the scan ended.
  public var stoppedBy: String
  /// What came of telling the detector that the scan was ended early; nil where nobody was told.
  public var stop: StopReport?
  /// Paths of the files.
  public var outputs: [String]
  /// Checksum of the volume; nil where nothing was reconstructed.
  public var volumeSHA256: String?
  /// Checksum of the denoised volume; nil where there is none.
  public var denoisedSHA256: String?
}
