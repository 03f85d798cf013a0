/// How far a run is; what `status.json` holds and a progress bar shows.
public struct RunStatus: Codable, Equatable, Sendable {
  /// One process.
  public struct Stage: Codable, Equatable, Sendable {
    /// As in `reconstruct.3`.
    public var name: String
    /// Its process id.
    public var pid: Int32
    /// Whether it still runs.
    public var isRunning: Bool
    /// How often it was started again.
    public var restarts: Int
    /// How often it was killed because it hung; these are among the restarts.
    public var hangs: Int
    /// The cores of other workers that it was moved to because it could not live on its own; nil where it was not.
    public var movedTo: [Int]?
    /// Epoch of what it writes; nil for a stage that writes no topic.
    public var epoch: UInt64?
    /// The next event that it will handle: of its input, for acquire of its output.
    public var cursor: UInt64 = 0
    /// Events that are there for it and not yet handled.
    public var lag: UInt64 = 0
  }

  /// What a live source has lost.
  public struct Losses: Codable, Equatable, Sendable {
    /// Frames that never came, below the highest one that did.
    public var lost: Int
    /// Frames that came twice and were dropped.
    public var duplicates: Int
    /// Frames that came after one with a higher number.
    public var late: Int
    /// Messages that were dropped because something was wrong with them.
    public var dropped: Int
  }

  /// What the run is doing.
  public enum Phase: String, Codable, Sendable {
    /// Projections come in; windows are updated.
    case scanning
    /// All projections are there; iterations over all of them.
    case finalSweep = "final sweep"
    /// Files are written.
    case exporting
    /// The result is complete.
    case finished
    /// The run ended without one.
    case failed
  }

  /// The run's identifier.
  public var run: String
  /// What it is doing.
  public var phase: Phase
  /// Its processes.
  public var stages: [Stage]
  /// Projections acquired so far.
  public var acquired: Int
  /// Projections that the slowest worker has taken so far.
  public var reconstructed: Int
  /// Projections of the scan.
  public var projections: Int
  /// Projections, flats and darks that came while a worker was so far behind that the ring was full: kept on disk and read from there.
  public var spilled: UInt64 = 0
  /// What a live source has lost so far; nil for a scan file.
  public var losses: Losses?
  /// Projections from one update to the next: `window-step`, or more while a worker does not keep up.
  public var step = 0
  /// Updates of the slowest worker so far.
  public var updates: Int
  /// Updates that a complete scan makes.
  public var updatesExpected: Int
  /// Done of the final sweep, 0…1, for the slowest worker.
  public var sweptFraction: Double
  /// ‖b − A x‖ / ‖b‖ of the latest update, over all rows; nil before the first.
  public var residual: Double?
  /// Who or what ended the scan before its source did, as in `finalized by anna`; nil where nobody has.
  public var finalized: String?
  /// How similar the volume is to the one of the window before (MS-SSIM): the latest score; nil where there is none.
  public var similarity: Double?
  /// Seconds since the stages were started.
  public var seconds: Double

  /// Projections that were acquired and not yet used.
  public var lag: Int { max(0, acquired - reconstructed) }

  /// Done of the present phase, 0…1.
  public var phaseFraction: Double {
    switch phase {
    case .scanning: Double(min(acquired, projections)) / Double(max(projections, 1))
    case .finalSweep: min(1, sweptFraction)
    case .exporting, .finished: 1
    case .failed: 0
    }
  }
  /// Acquired projections a second, since the start.
  public var rate: Double { seconds > 0 ? Double(acquired) / seconds : 0 }
}
