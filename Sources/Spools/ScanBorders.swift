import Detectors
import RunModel

/// Why a scan of a stream ended.
package enum ScanEnding: String, Codable, Equatable, Sendable {
  /// All images that were announced came.
  case complete
  /// The sender said so.
  case message
  /// Another series began.
  case series
  /// The numbers of frames began anew, or went on behind those that were announced.
  case numbers
  /// Images of another shape came.
  case format
  /// Frames came that name another sample.
  case sample
  /// Nothing came for as long as a scan may be silent.
  case silence
  /// A person said so.
  case order

  /// For people, to follow "ended".
  package var words: String {
    switch self {
    case .complete: "when all of it had come"
    case .message: "by the sender's message"
    case .series: "when another series began"
    case .numbers: "when the numbers of its frames began anew"
    case .format: "when images of another shape came"
    case .sample: "when frames of another sample came"
    case .silence: "when nothing came any more"
    case .order: "as was asked for"
    }
  }
}

/// Finds in a stream of images that goes on for ever where one scan ends and the next begins. It decides from what the
/// frames say, and by the clock only where a sender falls silent: a frame belongs to the scan that is open, or to the
/// next one, never to none.
struct ScanBorders {
  /// What was announced of the scan.
  let announced: ScanAnnouncement
  /// What its images look like.
  let format: FrameFormat
  /// Its series, where the detector counts these.
  let series: UInt64?
  /// The number of its first frame.
  let first: UInt64
  /// Its numbers, those that did not come among them.
  private(set) var ledger = LossLedger()
  /// Frames that say what they are of, by that.
  private var keyed = [Int](repeating: 0, count: ImageKey.allCases.count)
  /// When the last frame of it came.
  private var last: ContinuousClock.Instant

  /// A frame so far behind the newest is none that was late or sent twice: the numbers began anew.
  private static let repeatedMax: UInt64 = 8
  /// A frame that fills a gap so far behind the newest is none that was late.
  private static let lateMax: UInt64 = 1024
  /// All numbers are passed, and none of those that are missing came for so long.
  private static let lateWait: Duration = .seconds(1)
  /// So many frames before the first one may come late.
  private static let earlyMax: UInt64 = 64

  /// A scan that begins with a frame, whose number is `firstFrame` where somebody said so.
  init(
    _ header: FrameHeader, _ format: FrameFormat, announced: ScanAnnouncement, firstFrame: UInt64? = nil,
    now: ContinuousClock.Instant = .now
  ) {
    var numbering = FrameNumbering(total: 1, first: firstFrame)
    first = numbering.decide(header, header.series == nil ? .unknown : .exactly(0))
    (self.format, series, self.announced, last) = (format, header.series, announced, now)
  }

  /// Where a successor goes on.
  var place: DetectorAddress.Place {
    DetectorAddress.Place(
      series: series, first: first, next: first + ledger.next,
      missing: ledger.gaps.map { first + $0.lowerBound..<first + $0.upperBound })
  }

  /// Its frames, those that the detector marked as invalid among them; nil where that was not announced.
  private var total: Int? {
    announced.total.map { $0 + (announced.projections == nil ? 0 : keyed[ImageKey.invalid.rawValue]) }
  }

  /// Counters of so many numbers begin again at 0; negative numbers of 32 bits were read as the upper half of the last.
  private static let counters: [UInt64] = [1 << 16, 1 << 31, 1 << 32]
  /// A number so near the one that is expected, had the counter gone on, shows that it has begun again.
  private static let wrappedMax: UInt64 = 64

  /// How far behind the scan's first frame a number is; nil for one before it. In a counter that has begun again, small
  /// numbers follow its largest.
  private func index(of number: UInt64) -> UInt64? {
    if number >= first { return number - first }
    for counter in Self.counters where first < counter && first + ledger.next + Self.wrappedMax >= counter {
      let index = counter - first + number
      if index + Self.lateMax >= ledger.next, index <= ledger.next + Self.wrappedMax { return index }
    }
    return nil
  }

  /// What ends the scan where a frame comes that is the next one's; nil for a frame that belongs to this one.
  func ending(before header: FrameHeader, _ format: FrameFormat) -> ScanEnding? {
    if header.series != series { return .series }
    if format != self.format { return .format }
    guard let number = index(of: header.number) else {
      let isEarly = first - header.number <= Self.earlyMax && ledger.next <= Self.earlyMax
      return isEarly ? nil : .numbers
    }
    if let total, number >= UInt64(total) { return .numbers }
    guard number < ledger.next else { return nil }
    let isMissing = ledger.gaps.contains { $0.contains(number) }
    return ledger.next - number > (isMissing ? Self.lateMax : repeatedMax) ? .numbers : nil
  }

  /// Whether a frame is the one that is expected: of most nothing else need be looked at.
  func isNext(_ header: FrameHeader) -> Bool { header.series == series && index(of: header.number) == ledger.next }

  /// How far behind the newest a frame may be that came before.
  private var repeatedMax: UInt64 {
    total.map { min(Self.repeatedMax, UInt64($0) / 4) } ?? Self.repeatedMax
  }

  /// Whether a frame that comes when the scan has ended is one of its own: late, or sent twice.
  func isPast(_ header: FrameHeader, _ format: FrameFormat) -> Bool {
    ending(before: header, format) == nil && index(of: header.number).map { $0 < ledger.next } ?? false
  }

  /// Takes note of a frame that belongs to the scan.
  mutating func note(_ header: FrameHeader, now: ContinuousClock.Instant = .now) {
    last = now
    guard let number = index(of: header.number), ledger.note(frame: number) != .duplicate else { return }
    if let key = header.key { keyed[key.rawValue] += 1 }
  }

  /// Takes note of the sender's message of the end, with all frames of the scan where it says how many.
  mutating func noteEnd(_ count: UInt64?) {
    // Nobody announces more than a scan has.
    guard let count, count <= StreamDecoder.numberMax else { return }
    ledger.pass(to: count)
  }

  /// Takes note that no frame of the scan will come any more: what was announced and did not come is lost.
  mutating func noteOver() { if let total { ledger.pass(to: UInt64(total)) } }

  /// Whether all images came that were announced.
  var isComplete: Bool { total.map { ledger.next >= UInt64($0) && ledger.lost == 0 } ?? false }

  /// What ends the scan where nothing comes; `silenceMax` is how long it may be silent.
  func ending(at now: ContinuousClock.Instant, silenceMax: Duration) -> ScanEnding? {
    let silence = now - last
    if let total, ledger.next >= UInt64(total), silence > Self.lateWait { return .complete }
    return silence > silenceMax ? .silence : nil
  }

  /// Images of each kind, those that did not come among the projections. Where frames do not say what they are, darks
  /// and flats are as many as were announced, or `otherwise` says.
  func counts(otherwise: (flats: Int, darks: Int)) -> (projections: Int, flats: Int, darks: Int) {
    let isKeyed = keyed.contains { $0 > 0 }
    let flats = isKeyed ? keyed[ImageKey.flat.rawValue] : announced.flats ?? otherwise.flats
    let darks = isKeyed ? keyed[ImageKey.dark.rawValue] : announced.darks ?? otherwise.darks
    let others = Int(clamping: ledger.next) - flats - darks - keyed[ImageKey.invalid.rawValue]
    return (announced.projections ?? max(0, others), flats, darks)
  }
}
