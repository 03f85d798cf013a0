import Events
package import RunModel
package import Stages

/// How far a run is; what `status.json` holds and a progress bar shows.
package struct RunStatus: Codable, Equatable, Sendable {
  /// One process.
  package struct Stage: Codable, Equatable, Sendable {
    /// As in `reconstruct.3`.
    package var name: String
    /// Its process id.
    package var pid: Int32
    /// Whether it still runs.
    package var isRunning: Bool
    /// How often it was started again.
    package var restarts: Int
    /// How often it was killed because it hung; these are among the restarts.
    package var hangs: Int
    /// The cores that it was moved to because it could not live on its own alone; nil where it was not.
    package var movedTo: [Int]?
    /// What the run expects of a worker that could not live; nil of one that is to make its rows, and any other stage.
    package var standing: WorkerStanding?
    /// Epoch of what it writes; nil for a stage that writes no topic.
    package var epoch: UInt64?
    /// The next event that it will handle: of its input, for acquire of its output.
    package var cursor: UInt64 = 0
    /// Events that are there for it and not yet handled.
    package var lag: UInt64 = 0

    /// What it is doing, in a word: `runs`, `moved`, `ended`, `aside`, `missing`.
    package var state: String {
      switch standing {
      case .missing: "missing"
      case _ where isRunning: movedTo == nil ? "runs" : "moved"
      case .setAside: "aside"
      case .expected, nil: "ended"
      }
    }

    /// Whether others wait for it: for its process, or for the next one.
    var isAwaited: Bool { standing == nil || standing == .expected }
  }

  /// What the run is doing.
  package enum Phase: String, CaseIterable, Codable, Sendable {
    /// Projections come in; windows are updated.
    case scanning
    /// All projections are there; iterations over all of them.
    case finalIterations = "final sweep"
    /// Files are written.
    case exporting
    /// The result is complete.
    case finished
    /// The run ended without one.
    case failed
  }

  /// The run's identifier.
  package var run: String
  /// What it is doing.
  package var phase: Phase
  /// Its processes.
  package var stages: [Stage]
  /// What a trigger has said.
  package struct AlarmStatus: Codable, Equatable, Sendable {
    /// Its name.
    package var trigger: String
    /// `notice`, `warning` or `critical`.
    package var severity: String
    /// Whether it has begun and not ended.
    package var isRaised: Bool
    /// How often it has begun.
    package var count: Int
    /// When it last began or ended, in seconds since 1970.
    var time: Double
    /// What it said then.
    package var text: String
  }

  /// Projections acquired so far.
  package var acquired: Int
  /// Projections that the slowest worker has taken so far.
  package var reconstructed: Int
  /// Projections of the scan.
  package var projections: Int
  /// Projections, flats and darks that came while a worker was so far behind that the ring was full: kept on disk and
  /// read from there.
  package var spilled: UInt64 = 0
  /// Projections, flats and darks that are in memory and not yet on disk; not counted as acquired before they are.
  package var buffered: UInt64 = 0
  /// What a live source has lost so far, and what any has left out; nil for a scan file that left nothing out.
  package var losses: Losses?
  /// Pixels at or below the dark field that the updates had so far; nil for none.
  package var clampedPixels: Int?
  /// Why messages of a live source were dropped, each reason once; nil where none was.
  package var faults: [String]?
  /// What was wrong with the first message of each of these, where more is known than the reason.
  package var faultDetails: [String: String]?
  /// The number that a live source gives to the scan's first frame; nil before that is known.
  var firstFrame: UInt64?
  /// Projections from one update to the next: `window-step`, or more while a worker does not keep up.
  package var step = 0
  /// How updates keep up with the projections; nil before the first.
  package var pace: PaceReport?
  /// Which of its levels is in effect, from 0; nil where none is told.
  package var level: Int?
  /// Updates of the slowest worker so far.
  package var updates: Int
  /// Updates that a complete scan makes.
  package var updatesExpected: Int
  /// Done of the final iterations, 0…1, for the slowest worker.
  package var sweptFraction: Double
  /// ‖b − A x‖ / ‖b‖ of the latest update, over all rows; nil before the first.
  package var residual: Double?
  /// Who or what ended the scan before its source did, as in `finalized by anna`; nil where nobody has.
  var finalized: String?
  /// How similar the volume is to what it was `stop-distance` updates before (MS-SSIM): the lowest of the newest scores
  /// of workers and granules that count; nil where there is none.
  package var similarity: Double?
  /// What control saw last of each worker's slices; nil where it compares none, and before the first score.
  package var scores: [WorkerScore]?
  /// Who is without room on disk now, and for what, as in `journal of acquire`; empty while all have it.
  package var withoutRoom: [String] = []
  /// Seconds for which somebody was.
  package var secondsWithoutRoom = 0.0
  /// Copies of journals that the run goes on without, by their folders; nil for none.
  package var copiesLost: [String]?
  /// What reading the journals again came to; nil before anything was read.
  package var scrub: ScrubStatus?
  /// What coding sealed segments of the journals came to; nil where that was not asked for.
  package var coding: CodingStatus?
  /// Seconds from when the last projection was acquired that a score knew to the decision to end the scan with it; nil
  /// where no score has decided.
  package var decidedLate: Double?
  /// What a person was told before it began: what is odd about the input, what was assumed, found and decided; nil for
  /// nothing.
  package var notices: [String]?
  /// The rotation axis in pixels from the detector's left edge, whatever the binning: given, found before the scan, or
  /// as far as it is found in a live one; nil before that.
  package var rotationAxis: Double?
  /// Its standard error in the same, where it was found.
  package var rotationAxisError: Double?
  /// Rows that could not be reconstructed; nil where there are none.
  package var missingRows: [RowRange]?
  /// Figures of the run as they were last known, by their names in triggers; nil where nothing is watched.
  package var gauges: [String: Double]?
  /// What triggers have said, each its last word; nil where none has.
  package var alarms: [AlarmStatus]?
  /// What triggers of a person's own are told of that watched nothing in the whole scan; nil for none, and before its
  /// end.
  package var unseenTriggers: [String]?
  /// How far the views are; nil where there are none.
  package var views: [ViewStatus]?
  /// How programs of people do; nil where there are none.
  package var programs: [ProgramStatus]?
  /// How far those are who are told of the run; nil where nobody is.
  var events: EventsReport?
  /// The workers, and who makes which bands; nil of an earlier build.
  package var workers: [WorkerStatus]?
  /// What came of the last request for other workers; nil where there was none.
  package var workersAnswer: WorkersAnswer?
  /// Bands that changed hands; nil of an earlier build.
  package var bandMoves: Int?
  /// Workers that came because the run was behind; nil where none do.
  package var catchUp: CatchUpStatus?
  /// How images stand on their way to nodes; nil where none do.
  package var uplink: UplinkReport?
  /// Seconds since the stages were started.
  package var seconds: Double

  /// Projections that were acquired and not yet used.
  package var lag: Int { max(0, acquired - reconstructed) }

  /// Done of the present phase, 0…1.
  package var phaseFraction: Double {
    switch phase {
    case .scanning: Double(min(acquired, projections)) / Double(max(projections, 1))
    case .finalIterations: min(1, sweptFraction)
    case .exporting, .finished: 1
    case .failed: 0
    }
  }
  /// Acquired projections a second, since the start.
  package var rate: Double { seconds > 0 ? Double(acquired) / seconds : 0 }
}
