import Rings

/// What becomes of projections that never came.
package enum GapPolicy: String, CaseIterable, Codable, Sendable {
  /// The volume is made without them.
  case skip
  /// Short gaps are filled with the neighbours' weighted mean.
  case interpolate
}

extension LiveSource {
  /// What is known of the scan before its first frame.
  package struct Configuration: Sendable {
    /// What images look like.
    var format: FrameFormat
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
    /// The number of the first frame.
    var firstFrame: UInt64
    /// What becomes of lost projections.
    var onGap: GapPolicy
    /// The scan ends where no frame came for so long after the first; nil for no such limit.
    var silenceMax: Duration?
    /// Whether flats and projections that show nothing are left out.
    var tellsEmpty: Bool

    /// A configuration; the values were validated with the scan description.
    package init(
      format: FrameFormat, rows: Range<Int>, binning: Int, darks: Int, flats: Int, thetas: [Double],
      usesRadians: Bool = false, firstFrame: UInt64 = 0, onGap: GapPolicy = .skip, silenceMax: Duration? = nil,
      tellsEmpty: Bool = false
    ) {
      self.format = format
      self.rows = rows
      self.binning = binning
      self.darks = darks
      self.flats = flats
      self.thetas = thetas
      self.usesRadians = usesRadians
      self.firstFrame = firstFrame
      self.onGap = onGap
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
