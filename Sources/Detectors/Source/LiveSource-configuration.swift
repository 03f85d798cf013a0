import Rings

/// What becomes of projections that never came.
package enum GapPolicy: Equatable, Sendable {
  /// The volume is made without them.
  case skip
  /// Short gaps are filled with the neighbours' weighted mean.
  case interpolate
  /// Short gaps are filled with what the program at this path makes of the neighbours, or else as above.
  case program(String)
}

/// What the beginning of a live scan says of all of it. It outlives the process of acquire that saw it.
package struct SourceOrigin: Equatable, Sendable {
  /// The number that the source gives to the scan's first frame; nil before that came.
  package var firstFrame: UInt64?
  /// The series of the scan; nil before it began, and where the source counts none.
  package var series: UInt64?

  /// An origin as far as it is known.
  package init(firstFrame: UInt64? = nil, series: UInt64? = nil) {
    (self.firstFrame, self.series) = (firstFrame, series)
  }
}

extension LiveSource {
  /// What is known of the scan before its first frame.
  package struct Configuration: Sendable {
    /// What images look like.
    package var format: FrameFormat
    /// Detector rows that are taken of them.
    var rows: Range<Int>
    /// Edge of the squares of pixels whose mean becomes one pixel.
    var binning: Int
    /// Dark fields of the stream; frames that do not say what they are begin with them.
    var darks: Int
    /// Flat fields of the stream, which follow.
    var flats: Int
    /// Radians, one for each projection, for frames that do not say theirs.
    var thetas: [Double]
    /// Whether frames say their theta in radians, not in degrees.
    var usesRadians: Bool
    /// The number of the first frame; nil where the first one that comes shall say it.
    var firstFrame: UInt64?
    /// The channel that is taken of a detector with several; nil for its only one.
    var channel: String?
    /// What a predecessor found out.
    var origin: SourceOrigin
    /// Whether projections stand in place of lost ones.
    var fillsGaps: Bool
    /// Who makes them; nil for the neighbours' weighted mean.
    var gapProgram: GapProgram.Choice?
    /// The scan ends where no frame of it came for so long; nil for no such limit.
    var silenceMax: Duration?
    /// Whether flats and projections that show nothing are left out.
    var tellsEmpty: Bool

    /// A configuration; the values were validated with the scan description.
    package init(
      format: FrameFormat, rows: Range<Int>, binning: Int, darks: Int, flats: Int, thetas: [Double],
      usesRadians: Bool = false, firstFrame: UInt64? = nil, channel: String? = nil,
      origin: SourceOrigin = SourceOrigin(),
      fillsGaps: Bool = false, gapProgram: GapProgram.Choice? = nil, silenceMax: Duration? = nil,
      tellsEmpty: Bool = false
    ) {
      self.format = format
      self.rows = rows
      self.binning = binning
      self.darks = darks
      self.flats = flats
      self.thetas = thetas
      self.usesRadians = usesRadians
      (self.firstFrame, self.channel, self.origin) = (firstFrame, channel, origin)
      (self.fillsGaps, self.gapProgram) = (fillsGaps, gapProgram)
      self.silenceMax = silenceMax
      self.tellsEmpty = tellsEmpty
    }

    /// Frames of the stream.
    var total: Int { darks + flats + thetas.count }

    /// Images of a kind.
    func count(of kind: EventKind) -> Int {
      switch kind {
      case .dark: darks
      case .flat: flats
      default: thetas.count
      }
    }
  }
}
