/// Says which frame of a scan a detector's number is. A detector counts from 0, from 1 or on from the scan before; and
/// a counter of 16, 31 or 32 bits begins again at 0.
package struct FrameNumbering {
  /// What is known of the number of a scan's first frame before that comes.
  package enum FirstNumber: Equatable {
    /// It is this one.
    case exactly(UInt64)
    /// It is this one where the detector did not begin anew.
    case expected(UInt64)
    /// Nothing.
    case unknown
  }

  /// Frames of the scan.
  private let total: UInt64
  /// The number of the scan's first frame; nil as long as that is not known.
  private(set) var first: UInt64?

  /// Bits of counters that begin again at 0; negative numbers of 32 bits were read as the upper half of the last.
  private static let widths: [UInt64] = [16, 31, 32]
  /// Where more frames than this are missing before the first one that comes, they never were.
  private static let lostMax: UInt64 = 64

  /// The numbering of a scan of `total` frames.
  package init(total: Int, first: UInt64?) {
    precondition(total > 0, "a scan of \(total) frames")
    (self.total, self.first) = (UInt64(total), first)
  }

  /// Goes on where a predecessor has decided.
  mutating func goOn(at first: UInt64) { self.first = first }

  /// Decides, where nothing has decided before, which number the first frame has: `header` is of the first one that
  /// came. It is the one that came, unless there is reason to think that others were lost before it: a detector that is
  /// known to begin elsewhere, or a frame that says what it is and where, and needs no number for that.
  package mutating func decide(_ header: FrameHeader, _ known: FirstNumber) -> UInt64 {
    if let first { return first }
    let number = header.number
    let decided: UInt64
    switch known {
    case .exactly(let first): decided = first
    case .expected(let first) where number >= first && number - first < min(Self.lostMax, (total + 1) / 2):
      decided = first
    case .unknown where header.key != nil && header.theta != nil && (2..<Self.lostMax).contains(number): decided = 0
    case .expected, .unknown: decided = number
    }
    first = decided
    return decided
  }

  /// How far behind the scan's first frame a number is, of which there may be `slack` more than the scan has; nil where
  /// it lies before the first frame or behind all of them.
  package func index(of number: UInt64, slack: UInt64) -> UInt64? {
    guard let first else { preconditionFailure("the frame \(number) came before the first one was decided") }
    if number >= first { return number - first < total + slack ? number - first : nil }
    for width in Self.widths {
      let span: UInt64 = 1 << width
      // Only a scan that reaches the counter's end goes on at its beginning.
      if first < span, total > span - first, number < total - (span - first) { return number + (span - first) }
    }
    return nil
  }

  /// Whether a number that is none of the scan's lies behind it.
  package func isBeyond(_ number: UInt64) -> Bool { number >= first ?? 0 }

  /// The numbers of the scan, for people.
  var words: String { "\(first ?? 0) to \((first ?? 0) + total - 1)" }
}
