import Host
import Rings
package import RunModel
package import Tomography

/// Delivers what a detector sends: says what each frame is, keeps the loss ledger, and finds the end of the scan.
/// Frames are taken in the order in which they come; each carries its own theta, so a late one is as good as any.
package final class LiveSource: ProjectionSource {
  private let configuration: Configuration
  private let feed: any FrameFeed
  private let noticed: (SourceNotice) -> Void
  private let classifier: FrameClassifier
  private let pixels: FramePixels
  /// Nil where lost projections are done without.
  private let gaps: GapFiller?
  private var end: EndDetection
  private var numbering: FrameNumbering
  /// The series of the scan, where the detector counts these.
  private var series: UInt64?
  private var ledger = LossLedger()
  /// Why there is nothing any more.
  package private(set) var endReason = EndEvent.Reason.sourceEnded
  /// Frames below this number came, and some of them are lost that nobody could note.
  private var cameThrough: UInt64 = 0
  /// How bright fields from elsewhere are; nothing is known where they come with the images.
  private var fieldLevel = BeamLevel(darks: (0, 0), flats: (0, 0))

  /// How long the message of the end is waited for that nobody needs any more.
  private static let leaveMax: Duration = .seconds(1)
  /// Messages that are passed over before the stage may look whether it shall stop.
  private static let passedMax = 256

  /// Listens to `address`. `noticed` hears of every message that is dropped, and of senders that come and go.
  package convenience init(
    _ configuration: Configuration, address: StreamAddress, noticed: @escaping (SourceNotice) -> Void
  ) throws {
    let feed = try ZeroMQFeed(address, configuration)
    self.init(configuration, feed: feed, noticed: noticed)
  }

  /// Subscribes to a process variable of EPICS.
  package convenience init(
    _ configuration: Configuration, variable: PVAccessAddress, noticed: @escaping (SourceNotice) -> Void
  ) throws {
    let feed = try PVAccessFeed(variable, format: configuration.format)
    self.init(configuration, feed: feed, noticed: noticed)
  }

  /// Watches `folder` for TIFF files. With `usesNumbers` the numbers in their names count frames; otherwise files are
  /// counted in their order.
  package convenience init(
    _ configuration: Configuration, folder: String, usesNumbers: Bool, noticed: @escaping (SourceNotice) -> Void
  ) {
    let feed = FolderFeed(path: folder, format: configuration.format, usesNumbers: usesNumbers)
    self.init(configuration, feed: feed, noticed: noticed)
  }

  /// Takes the images of any feed.
  package init(_ configuration: Configuration, feed: any FrameFeed, noticed: @escaping (SourceNotice) -> Void) {
    self.configuration = configuration
    self.feed = feed
    self.noticed = noticed
    classifier = FrameClassifier(configuration)
    pixels = FramePixels(configuration)
    gaps = configuration.fillsGaps ? GapFiller(pixels) : nil
    end = EndDetection(configuration)
    numbering = FrameNumbering(
      total: configuration.total, first: configuration.firstFrame ?? configuration.origin.firstFrame)
    series = configuration.origin.series
  }

  /// The program that fills gaps, where there is one.
  package func startPrograms(_ start: @escaping GapProgram.Start) {
    guard let choice = configuration.gapProgram else { return }
    gaps?.program = GapProgram(
      choice, rows: shape.rows, columns: shape.columns, pixel: pixels.pixel, start: start,
      noticed: noticed)
  }

  /// As of its feed.
  package var holdsFrames: Bool { feed.holdsFrames }

  /// Rows and columns after cropping and binning.
  package var shape: (rows: Int, columns: Int) { pixels.shape }

  /// What was lost.
  package var losses: LossLedger? { ledger }

  /// How bright the fields are that a file has in place of the stream.
  package func know(_ level: BeamLevel) { fieldLevel = level }

  /// The same with those that came: a beam that was said has darks of the stream.
  private var level: BeamLevel {
    guard let sums = ledger.fieldSums else { return fieldLevel }
    return fieldLevel.filled(by: BeamLevel(darks: (sums.darks, ledger.darks), flats: (sums.flats, ledger.flats)))
  }

  /// Goes on with the ledger of the last image that is not lost. The numbers of those behind it are known to nobody any
  /// more, but that they were higher: the next frame that comes shows them as a gap, and the end does where none comes.
  /// A folder delivers them once more.
  package func resume(after count: UInt64, metadata: [UInt8], lost: UInt64) throws -> Int? {
    precondition(lost <= count, "\(lost) of \(count) images are lost")
    cameThrough = lost
    guard count > lost else { return 0 }
    ledger = try metadata.withUnsafeBytes { try LossLedger(decoding: $0) }
    cameThrough += ledger.next
    // An older build began at 0 where nothing was said.
    let first = ledger.firstFrame ?? configuration.firstFrame ?? 0
    numbering.goOn(at: first)
    let last = LossLedger.frame(in: metadata)
    if last >= first { ledger.takeBack(behind: last - first) }
    try feed.resume(after: first + ledger.next, last: last)
    return ledger.projections
  }

  /// The next image, or one in place of a lost one.
  package func next(timeout: Duration) throws -> SourceStep {
    end.noteWaiting()
    defer { end.noteLeaving() }
    if let frame = nextOfGap() { return .frame(frame) }
    for _ in 0..<Self.passedMax {
      if end.isComplete(ledger) { return finish() }
      switch try feed.next(timeout: timeout) {
      case .nothing: return isSilent() ? finish() : .nothing
      case .other: break
      case .held: end.noteAnnouncement()
      case .end(let count):
        if end.isEnded(byMessageOf: count, isCertain: feed.endIsCertain, &ledger) { return finish() }
      case .fault(let fault, let detail): drop(fault, detail)
      case .notice(let notice): noticed(notice)
      case .series(let next):
        // Where a death left nobody who knows the scan's own series, a header is of another one all the same.
        if isInterrupted(by: next, from: series ?? .max) { return finish() }
        noticed(.announced(series: next))
        end.noteAnnouncement()
      case .frame(let header, let bytes):
        if let next = header.series, isInterrupted(by: next, from: series ?? next) { return finish() }
        if let frame = take(header, bytes) { return .frame(frame) }
      }
      // Messages may come, and none of them be of use.
      if isSilent() { return finish() }
    }
    return .nothing
  }

  /// Whether the series that begins ends the scan: frames of another one were taken, and an image of the next one in
  /// their volume would be of another sample.
  private func isInterrupted(by next: UInt64, from series: UInt64) -> Bool {
    self.series = next
    guard ledger.next > 0, next != series else { return false }
    noticed(.interrupted(by: next))
    endReason = .overtaken
    ledger.noteMalformed(MessageFault.series.rawValue)
    ledger.pass(to: UInt64(configuration.total))
    return true
  }

  /// Whether the source was silent for so long that it ends the scan.
  private func isSilent() -> Bool {
    guard end.isSilent(&ledger) else { return false }
    endReason = .silence
    return true
  }

  /// Nothing comes any more that could show what was lost at the end.
  private func finish() -> SourceStep {
    ledger.pass(to: min(cameThrough, UInt64(configuration.total)))
    return .end
  }

  /// Takes the message of the end, which comes behind the last image, where the end was found without it. A frame
  /// belongs to another scan.
  package func takeLeave() {
    let deadline = Deadline(after: Self.leaveMax)
    while feed.endIsAwaited, !end.messageWasTaken, !deadline.hasPassed {
      // What goes wrong now changes nothing any more.
      switch try? feed.next(timeout: deadline.remaining) {
      case .end, .frame, nil: return
      case .fault, .notice, .series, .other, .held, .nothing: break
      }
    }
  }

  /// Brings an image into a slot, and writes the ledger beside it; nil where it is damaged or empty.
  func write(
    _ kind: EventKind, _ image: SourceFrame.StreamImage, into payload: UnsafeMutableRawBufferPointer,
    metadata: UnsafeMutableRawBufferPointer
  ) -> Int? {
    let origin: ProjectionOrigin
    do throws(MessageFault) {
      if let gaps {
        origin = try gaps.write(image, into: payload)
      } else {
        try pixels.write(image, into: payload)
        origin = .measured
      }
    } catch {
      drop(error)
      // With it goes what was to be made of it.
      guard let number = index(of: image.header) else { preconditionFailure("\(image.header) was none of the scan") }
      ledger.lose(number)
      gaps?.abandon()
      return nil
    }
    if configuration.tellsEmpty, isEmpty(kind, image, UnsafeRawBufferPointer(payload)) { return nil }
    ledger.notePublished(kind, origin)
    return ledger.encode(
      frame: firstFrame + image.number, timestamp: origin == .measured ? image.header.timestamp : nil, into: metadata)
  }

  /// Whether an image shows nothing, or is to be made of one that shows nothing.
  private func isEmpty(_ kind: EventKind, _ image: SourceFrame.StreamImage, _ payload: UnsafeRawBufferPointer) -> Bool {
    let (level, pixel) = (level, pixels.pixel)
    if image.weight < 1 {
      guard let behind = gaps?.imageBehind, level.isEmpty(projection: ImageTotal(behind, type: pixel)) else {
        return false
      }
      gaps?.passGap()
      return true
    }
    let frame = firstFrame + image.number
    guard ledger.leavesOut(kind, frame: image.number, payload, type: pixel, level) else { return false }
    if ledger.empty + ledger.emptyFlats == 1 { noticed(.empty(frame: frame)) }
    gaps?.forgetLast()
    return true
  }

  /// The frame that an image makes, or the first one of the gap before it; nil where it is dropped.
  private func take(_ header: FrameHeader, _ bytes: UnsafeRawBufferPointer) -> SourceFrame? {
    if ledger.firstFrame == nil { begin(with: header) }
    guard let number = index(of: header) else {
      drop(
        .number, "\(header.number) of \(numbering.words); --first-frame says where the detector begins")
      if numbering.isBeyond(header.number) { end.noteBeyond(&ledger) }
      return nil
    }
    end.noteFrame()
    do throws(MessageFault) {
      guard let verdict = try classifier.classify(header, number: number, notingIn: &ledger) else { return nil }
      let image = SourceFrame.StreamImage(number: number, header: header, bytes: bytes)
      gaps?.note(verdict.kind, theta: verdict.theta, image, behind: verdict.lost)
      return nextOfGap() ?? frame(verdict.kind, theta: verdict.theta, image)
    } catch {
      drop(error, error == .surplus ? surplusWords(header) : nil)
      return nil
    }
  }

  /// The first frame came, from this process's view: says so, before anything is made of it.
  private func begin(with header: FrameHeader) {
    let first = numbering.decide(header, feed.firstNumber)
    ledger.noteFirst(first)
    series = header.series
    noticed(.began(SourceOrigin(firstFrame: first, series: series), number: header.number))
  }

  /// The number that the detector gives to the scan's first frame.
  private var firstFrame: UInt64 { numbering.first ?? 0 }

  private func index(of header: FrameHeader) -> UInt64? {
    numbering.index(of: header.number, slack: classifier.slack(for: header))
  }

  private func surplusWords(_ header: FrameHeader) -> String {
    switch header.key {
    case .flat: "frame \(header.number) is a flat field behind all \(configuration.flats); --flats says how many come"
    case .dark: "frame \(header.number) is a dark field behind all \(configuration.darks); --darks says how many come"
    default: "frame \(header.number) is behind all of the \(configuration.thetas.count) projections"
    }
  }

  private func nextOfGap() -> SourceFrame? {
    guard let next = gaps?.nextProjection(hasRoom: ledger.taken(of: .projection) < configuration.thetas.count - 1)
    else {
      return nil
    }
    return frame(.projection, theta: next.theta, next.image)
  }

  private func frame(_ kind: EventKind, theta: Double, _ image: SourceFrame.StreamImage) -> SourceFrame {
    SourceFrame(
      kind: kind, index: ledger.count(of: kind), theta: theta, pixel: pixels.pixel, origin: .stream(self, image))
  }

  private func drop(_ fault: MessageFault, _ detail: String? = nil) {
    ledger.noteMalformed(fault.rawValue)
    noticed(.dropped(fault, detail: detail, count: Int(ledger.malformed[fault.rawValue])))
  }
}
