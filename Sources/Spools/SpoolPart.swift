import Detectors
import RunModel

/// Some projections of a scan in a spool, one behind the other, with all of its flat and dark fields: which of its
/// frames these are, and how they are numbered without the others.
///
/// ```
/// frame of the scan    0 1 2   3 4 5   6 7 8   9 …        dark, 2 flats, then projections 0, 1, 2, …
/// part 3:6             0 1 2           3 4 5
/// ```
/// A frame that says what it is of may be a field anywhere; then numbers behind it go on all the same.
package struct SpoolPart {
  /// Where a frame lies beside the part.
  enum FramePlace: Equatable {
    /// In it, with this number.
    case inside(UInt64)
    /// It is a projection before it, or a frame of no scan.
    case before
    /// It is a projection so far behind the part's last one: 0 for the next.
    case behind(Int)
  }

  /// The projections of the scan that it has.
  let projections: Range<Int>
  /// Fields of the stream, before and behind.
  private let fieldCount: Int
  /// Which frame of the scan a number is.
  private let numbering: FrameNumbering
  /// Numbers of fields that said what they are.
  private var keyed = LossLedger()
  private var keyedCount: UInt64 = 0
  private var isKeyed = false

  /// A projection of the part that comes when so many behind it have come is lost: where a part ends follows from what
  /// the spool holds, and not from a clock, so that it ends there again.
  private static let lateMax = 64
  /// Numbers that may follow the last expected frame where frames say what they are.
  private static let numberSlack: UInt64 = 1 << 20

  /// Those of a scan of so many fields and `all` projections, whose first frame has the number `first`.
  package init(_ projections: Range<Int>, of all: Int, fields: Int, first: UInt64) {
    precondition(
      !projections.isEmpty && projections.lowerBound >= 0 && projections.upperBound <= all && fields >= 0,
      "projections \(projections) of \(all), and \(fields) fields")
    self.projections = projections
    fieldCount = fields
    numbering = FrameNumbering(total: fields + all, first: first)
  }

  /// Frames of the part.
  var total: UInt64 { UInt64(fieldCount + projections.count) }

  /// The number of a projection among those of the scan, lost ones included; nil for a frame that is none.
  func projection(_ header: FrameHeader) -> Int? {
    guard let index = index(of: header), header.key == nil || header.key == .projection else { return nil }
    let fields = header.key == nil ? UInt64(fieldCount) : keyedCount
    return index >= fields ? Int(index - fields) : nil
  }

  /// Where a frame is.
  func place(of header: FrameHeader) -> FramePlace {
    guard let index = index(of: header) else {
      return numbering.isBeyond(header.number) ? .behind(Self.lateMax) : .before
    }
    if let projection = projection(header) {
      if projection < projections.lowerBound { return .before }
      if projection >= projections.upperBound { return .behind(projection - projections.upperBound) }
      return .inside(index - UInt64(projections.lowerBound))
    }
    // A field, with those projections of the part before it.
    let passed = header.key == nil ? 0 : Int(clamping: index - min(index, keyedCount))
    let left = min(passed, projections.lowerBound) + max(0, passed - projections.upperBound)
    return .inside(index - UInt64(left))
  }

  /// Takes note of a frame that was passed over or taken: behind a field projections have other numbers.
  mutating func note(_ header: FrameHeader) {
    guard let key = header.key else { return }
    isKeyed = true
    guard key != .projection, let index = index(of: header), keyed.note(frame: index) != .duplicate else { return }
    keyedCount += 1
  }

  /// Whether nothing of the part is to be expected any more when a projection came that is so far behind it. Fields
  /// that say what they are may follow all projections.
  func isOver(_ behind: Int) -> Bool { behind >= Self.lateMax && (!isKeyed || keyedCount >= UInt64(fieldCount)) }

  private func index(of header: FrameHeader) -> UInt64? {
    numbering.index(of: header.number, slack: header.key == nil ? 0 : Self.numberSlack)
  }
}
