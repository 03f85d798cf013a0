package import Detectors
import Host
import Rings
import RunModel

/// Takes everything that a detector sends, scan after scan, each into a spool of its own: whoever reconstructs a scan
/// reads it from there, while it comes or later. So a detector never waits for a reconstruction, and the first frames
/// of the next scan are never those that nobody wanted any more.
///
/// ```
/// detector ─► intake ─► spool of scan 17 (ended) ─► run of scan 17
///                   └─► spool of scan 18 (open)  ─► run of scan 18, live where its size is known
/// ```
package final class ScanIntake {
  /// What is known of a source's scans before any of them.
  package struct Settings: Sendable {
    /// Where the detector sends.
    let address: DetectorAddress
    /// The channel that is taken of a detector with several.
    let channel: String?
    /// What every scan has that says nothing else.
    let expected: ScanAnnouncement
    /// A scan ends where nothing of it came for so long.
    let silenceMax: Duration
    /// What is known for certain of the only scan that is wanted; nil where any scan is.
    let known: KnownScan?
    /// Where it is kept what of a watched folder was taken.
    let memory: (any WatchMemory)?

    /// Settings as given.
    package init(
      address: DetectorAddress, channel: String?, expected: ScanAnnouncement, silenceMax: Duration,
      known: KnownScan? = nil, memory: (any WatchMemory)? = nil
    ) {
      (self.address, self.channel, self.expected, self.silenceMax) = (address, channel, expected, silenceMax)
      (self.known, self.memory) = (known, memory)
    }
  }

  /// A scan for which memory and disk were planned: what is expected of it holds whatever the detector says.
  package struct KnownScan: Sendable {
    /// What its images look like; others are dropped.
    let format: FrameFormat
    /// The number of its first frame; nil where the first one that comes says it.
    let firstFrame: UInt64?

    /// As given.
    package init(format: FrameFormat, firstFrame: UInt64?) { (self.format, self.firstFrame) = (format, firstFrame) }

    /// What is wrong with an image that looks otherwise; nil where nothing is.
    func fault(of other: FrameFormat) -> (MessageFault, String)? {
      if (other.rows, other.columns) != (format.rows, format.columns) {
        let turned = (other.rows, other.columns) == (format.columns, format.rows)
        return (
          .shape,
          "the image has \(other.rows) × \(other.columns) pixels, and --shape says \(format.rows),\(format.columns)"
            + (turned ? ": rows and columns are the wrong way round" : "")
        )
      }
      guard other.pixel != format.pixel else { return nil }
      return (.pixel, "pixels are \(other.pixel.rawValue), and --pixel says \(format.pixel.rawValue)")
    }
  }

  /// What is worth telling.
  package enum IntakeNotice {
    /// Something about the stream.
    case source(SourceNotice)
    /// A scan began, in the spool of this folder.
    case began(String, SpoolDescription)
    /// A scan ended.
    case ended(String, SpoolDescription)
    /// A scan that a predecessor left open cannot be gone on with, and why.
    case gaveUp(String, String)
    /// Frames came that belong to a scan that has ended; how many so far.
    case late(Int)
  }

  private struct OpenScan {
    var borders: ScanBorders
    let spool: SpoolWriter
    var dropped: [String: Int] = [:]
  }

  /// What a source holds is taken for so long, and nothing more is expected after so long a silence.
  private static let (leaveMax, leaveSilence) = (Duration.seconds(1), Duration.milliseconds(50))

  private let settings: Settings
  private let feed: any FollowedFeed
  private let makeFolder: () throws -> String
  private let noticed: (IntakeNotice) -> Void
  private var open: OpenScan?
  private var closed: ScanBorders?
  /// What the header of a series said of the scan whose first image has not come.
  private var header = ScanAnnouncement()
  private var (dropped, late) = ([MessageFault: Int](), 0)

  /// Listens. `unfinished` are the folders of spools that a predecessor left open: it goes on with the newest, and the
  /// others have ended. `makeFolder` gives each scan an empty folder.
  package init(
    _ settings: Settings, unfinished: [String], makeFolder: @escaping () throws -> String,
    noticed: @escaping (IntakeNotice) -> Void
  ) throws {
    (self.settings, self.makeFolder, self.noticed) = (settings, makeFolder, noticed)
    for (index, folder) in unfinished.enumerated() {
      do {
        let (scan, isMarked) = try Self.reopen(folder)
        // A scan after which another began has ended.
        if isMarked || index < unfinished.count - 1 {
          try Self.finish(scan, .message, settings, isMarked: isMarked)
        } else {
          open = scan
        }
      } catch {
        // Whatever became of that scan, the detector goes on.
        noticed(.gaveUp(folder, "\(error)"))
      }
    }
    feed = try settings.address.follow(
      channel: settings.channel, memory: settings.memory, from: open?.borders.place)
  }

  /// A scan that a predecessor left open, and whether its end is written.
  private static func reopen(_ folder: String) throws -> (OpenScan, isMarked: Bool) {
    let spool = try SpoolWriter(reopening: folder), reader = try SpoolReader(folder: folder)
    let description = spool.description
    var scan: OpenScan?
    // Without their images: of a long scan these are more than can be read while a detector waits.
    while let coming = try reader.coming() {
      reader.skip()
      guard let header = coming.frame else { continue }
      if scan == nil {
        let borders = ScanBorders(
          header, description.format, announced: description.announced, firstFrame: description.firstFrame)
        scan = OpenScan(borders: borders, spool: spool, dropped: description.dropped)
      }
      scan?.borders.note(header)
    }
    guard let scan else { throw SpoolError.damaged(folder, "it holds no frame") }
    if case .end = try reader.next() { return (scan, true) }
    return (scan, false)
  }

  /// Takes what comes next, for which it waits up to `timeout`.
  package func step(timeout: Duration) throws { try take(try feed.next(timeout: timeout)) }

  private func take(_ step: FeedStep) throws {
    switch step {
    case .nothing: break
    // It has come, and is waited for.
    case .held: return
    case .other: break
    case .frame(let header, let image): try take(header, image)
    case .series:
      header = feed.announcement
      if open != nil { try finish(.series) }
    case .end(let count):
      open?.borders.noteEnd(count)
      if open != nil { try finish(.message) }
    case .fault(let fault, let detail): drop(fault, detail)
    case .notice(let notice): noticed(.source(notice))
    }
    if let ending = open?.borders.ending(at: .now, silenceMax: settings.silenceMax) { try finish(ending) }
  }

  /// Ends the scan that is open, as a person asks for.
  package func endScan() throws { if open != nil { try finish(.order) } }

  /// Takes what the source still holds and nobody sends again, for a moment, and makes durable what came. The scan
  /// stays open for who goes on.
  package func leave() throws {
    let deadline = Deadline(after: Self.leaveMax)
    while feed.holdsFrames, !deadline.hasPassed {
      let step = try feed.next(timeout: Self.leaveSilence)
      if case .nothing = step { break }
      try take(step)
    }
    try open?.spool.flush()
  }

  private func take(_ header: FrameHeader, _ image: UnsafeRawBufferPointer) throws {
    let format = feed.format
    if let (fault, detail) = settings.known?.fault(of: format) { return drop(fault, detail) }
    if let open, !open.borders.isNext(header), isOfAnother(open.borders) {
      // Of who sends over several sockets a frame of the scan before may come now.
      if let closed, closed.isPast(header, format), !isOfAnother(closed) { return noteLate() }
      try finish(.sample, withLast: false)
    } else if let ending = open?.borders.ending(before: header, format) {
      try finish(ending, withLast: false)
    }
    // Where many frames of a scan are missing, those of the next one have their numbers.
    if open == nil, let closed, closed.isPast(header, format), !isOfAnother(closed) { return noteLate() }
    if open == nil { try begin(header, format) }
    guard open?.spool.hasRoom(for: image) == true else { return drop(.size, nil) }
    try open?.spool.append(header, image)
    open?.borders.note(header)
    if open?.borders.isComplete == true { try finish(.complete) }
  }

  /// Whether the frame that came names another sample than a scan's frames. Where a person said what is measured, names
  /// are not compared.
  private func isOfAnother(_ scan: ScanBorders) -> Bool {
    guard settings.known == nil, let own = scan.announced.sample, let named = feed.announcement.sample else {
      return false
    }
    return named != own
  }

  private func noteLate() {
    late += 1
    noticed(.late(late))
  }

  private func begin(_ first: FrameHeader, _ format: FrameFormat) throws {
    let (said, expected) = (feed.announcement.filled(by: header), settings.expected)
    let announced = settings.known == nil ? said.filled(by: expected) : expected.filled(by: said)
    header = ScanAnnouncement()
    let borders = ScanBorders(first, format, announced: announced, firstFrame: settings.known?.firstFrame)
    let folder = try makeFolder()
    var description = SpoolDescription(
      id: .random(), rows: format.rows, columns: format.columns, pixel: format.pixel, firstFrame: borders.first,
      series: first.series, announced: announced, began: Double(Machine.realtimeNanoseconds) / 1e9)
    if let total = announced.total {
      (description.flats, description.darks) = (announced.flats ?? 0, announced.darks ?? 0)
      description.projections =
        announced.projections ?? max(1, total - (announced.flats ?? 0) - (announced.darks ?? 0))
    }
    open = OpenScan(borders: borders, spool: try SpoolWriter(creating: folder, description))
    noticed(.began(folder, description))
  }

  /// Ends the scan that is open; the last frame that came is of it, or the next one's.
  private func finish(_ ending: ScanEnding, withLast: Bool = true) throws {
    guard let scan = open else { preconditionFailure("no scan is open") }
    // In this order: what is asked for once more is on disk, and what is not asked for is in a scan that goes on.
    try scan.spool.flush()
    try feed.settle(withLast: withLast)
    open = nil
    closed = ending == .complete || ending == .message ? scan.borders : nil
    try Self.finish(scan, ending, settings)
    noticed(.ended(scan.spool.folder, scan.spool.description))
  }

  private static func finish(
    _ scan: OpenScan, _ ending: ScanEnding, _ settings: Settings, isMarked: Bool = false
  ) throws {
    let counts = scan.borders.counts(
      otherwise: (settings.expected.flats ?? 0, settings.expected.darks ?? 0))
    var borders = scan.borders
    borders.noteOver()
    if !isMarked { try scan.spool.markEnd() }
    try scan.spool.describe { description in
      description.ended = Double(Machine.realtimeNanoseconds) / 1e9
      description.ending = ending
      // What was announced holds: memory was made for it, and what did not come is lost.
      description.projections = description.projections ?? max(1, counts.projections)
      description.flats = description.flats ?? counts.flats
      description.darks = description.darks ?? counts.darks
      description.lost = borders.ledger.lost
      description.dropped = scan.dropped
    }
  }

  private func drop(_ fault: MessageFault, _ detail: String?) {
    dropped[fault, default: 0] += 1
    open?.dropped[fault.name, default: 0] += 1
    noticed(.source(.dropped(fault, detail: detail, count: dropped[fault] ?? 0)))
  }
}
