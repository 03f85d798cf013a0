package import Events
import Rings
package import RunModel
import ScanPlan
package import Stages

/// What `--json` prints of a run.
package struct RunResult: Codable, Equatable, Sendable {
  /// The run's identifier.
  package var run: String
  /// The rotation axis, given or found, in pixels from the detector's left edge, whatever the binning.
  package var rotationAxis: Double
  /// The standard error in these pixels of one that was found; nil of one that was given.
  package var rotationAxisError: Double?
  /// Degrees by which it is tilted in the plane of the detector.
  package var axisTilt: Double
  /// `half` where slices reach as far from the axis as the detector does on its far side, `full` otherwise.
  package var fieldOfView: String
  /// Columns of a slice, which has as many rows.
  package var columns: Int
  /// Projections that were used.
  package var projections: Int
  /// Windowed updates and final iterations.
  package var updates: Int
  /// From the start of the stages to the last byte of the export.
  package var seconds: Double
  /// Seconds of these for which the run was without room on disk; 0 where it always had it.
  package var secondsWithoutRoom: Double
  /// Copies of journals that the run went on without, by their folders; nil for none.
  package var copiesLost: [String]?
  /// What reading the journals again came to while the run went on; nil where nothing was read.
  package var scrub: ScrubStatus?
  /// What coding the journals came to; nil where that was not asked for.
  package var coding: CodingStatus?
  /// Projections over seconds.
  package var projectionsPerSecond: Double
  /// Projections that were acquired and not used.
  package var lost: Int
  /// Flat and dark fields that were acquired and not used.
  package var lostFields: Int
  /// Events that came twice and were dropped.
  package var duplicates: Int
  /// How updates kept up with the projections while the scan ran; nil where none were made.
  package var pace: PaceReport?
  /// Projections that showed nothing and were left out; they are not among those that were acquired.
  package var emptyProjections: Int
  /// Flat fields of which that is so.
  package var emptyFlats: Int
  /// First and last number of each range of such projections, as the detector counts its frames and a file its
  /// projections from 0; the first ones where there are very many.
  package var emptyFrames: [[UInt64]]
  /// Messages of a live source that were dropped, by what was wrong with them.
  package var droppedMessages: [String: Int]
  /// Pixels at or below the dark field, which became the least transmission.
  package var clampedPixels: Int
  /// Pixels of the detector that no projection has a value for, interpolated from their neighbours.
  package var deadPixels: Int
  /// How often each stage was restarted.
  package var restarts: [String: Int]
  /// Estimate and peak of the memory of each worker.
  package var memory: [String: WorkerMemory]
  /// What was assumed of the input, and what of it is missing, in sentences.
  package var inputNotices: [String]
  /// Why the scan ended.
  package var stoppedBy: String
  /// What came of telling the detector that the scan was ended early; nil where nobody was told.
  package var stop: StopReport?
  /// Paths of the files.
  package var outputs: [String]
  /// How well the final iterations fit the data; nil where they do not tell it.
  package var fit: VolumeFit?
  /// Rows that could not be reconstructed and hold no numbers; none, as a rule.
  package var missingRows: [RowRange]
  /// What the least and the greatest integer of the files stand for; nil where there are no integers.
  var range: [Float]?
  /// Checksum of the volume; nil where nothing was reconstructed.
  package var volumeSHA256: String?
  /// Checksum of the denoised volume; nil where there is none.
  package var denoisedSHA256: String?
  /// How far the views came; nil where there are none.
  var views: [ViewStatus]?
  /// How programs of people ended, and what they said last; nil where there were none.
  package var programs: [ProgramStatus]?
  /// How far those are who were told of the run; nil where nobody was.
  package var events: EventsReport?
  /// Of a node: what of an edge's run the volume is; nil of any other run.
  package var part: ResultPart?
  /// Of an edge that has waited for nodes: who made which slices of the volume; nil of any other run.
  package var parts: [Gather.Piece]?
  /// Of an edge: how its images came to the fabric; nil of any other run.
  package var uplink: UplinkReport?
}

/// Which slices of an edge's run a node has made.
package struct ResultPart: Codable, Equatable, Sendable {
  /// The run at the edge.
  package let run: String
  /// The first granule, and the one behind the last.
  package let granules: [Int]
  /// The slices.
  package let rows: RowRange
  /// The checksum of each granule's slices; none where nothing was reconstructed.
  package let sha256: [String]

  init(_ part: FabricPart, rows: RowRange, sha256: [String]) {
    (run, granules, self.rows) = (part.run.description, [part.taken.lowerBound, part.taken.upperBound], rows)
    self.sha256 = sha256
  }
}
