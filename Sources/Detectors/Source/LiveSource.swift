import Host
import Rings
package import RunModel
import Tomography

/// What becomes of projections that never came.
package enum GapPolicy: String, CaseIterable, Codable, Sendable {
  /// The volume is made without them.
  case skip
  /// Short gaps are filled with the neighbours' weighted mean.
  case interpolate
}

/// Delivers what a detector sends: says what each frame is, keeps the loss ledger, and finds the end of the scan.
/// Frames are taken in the order in which they come; each carries its own theta, so a late one is as good as any.
package final class LiveSource: ProjectionSource {
  /// What is known of the scan before its first frame.
  package struct Configuration: Sendable {
    /// What images look like.
    package var format: FrameFormat
    /// Detector rows that are taken of them.
    package var rows: Range<Int>
    /// Edge of the squares of pixels whose mean becomes one pixel.
    package var binning: Int
    /// Dark fields of the stream; frames that do not say what they are begin with them.
    package var darks: Int
    /// Flat fields of the stream, which follow.
    package var flats: Int
    /// Radians, one for each projection, for frames that do not say theirs.
    package var thetas: [Double]
    /// Whether frames say their theta in radians, not in degrees.
    package var usesRadians: Bool
    /// The number of the first frame.
    package var firstFrame: UInt64
    /// What becomes of lost projections.
    package var onGap: GapPolicy
    /// The scan ends where no frame came for so long after the first; nil for no such limit.
    package var silenceMax: Duration?

    /// A configuration; the values were validated with the scan description.
    package init(
      format: FrameFormat, rows: Range<Int>, binning: Int, darks: Int, flats: Int, thetas: [Double],
      usesRadians: Bool = false,
      firstFrame: UInt64 = 0, onGap: GapPolicy = .skip, silenceMax: Duration? = nil
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
    }

    /// Frames of the stream.
    var total: Int { darks + flats + thetas.count }
  }

  /// A gap that is being filled: the projection before it, the one behind it, and the number in between that is next.
  private struct Gap {
    let before: (number: UInt64, theta: Double)
    let next: (image: SourceFrame.StreamImage, theta: Double)
    var number: UInt64
  }

  private let configuration: Configuration
  private let feed: any FrameFeed
  private var ledger = LossLedger()
  private let noticed: (SourceNotice) -> Void
  /// A gap while it is filled.
  private var gap: Gap?
  private var lastProjection: (number: UInt64, theta: Double)?
  private let pixels: FramePixels
  /// When the last message came, and the last frame of this scan.
  private var (arrived, framed) = (ContinuousClock.now, ContinuousClock.now)
  /// Frames behind the scan's that came one after the other.
  private var beyond = 0
  /// Whether the sender's message of the end was taken.
  private var endWasTaken = false

  /// Frames with higher numbers have come, and none for so long: what is missing will not come.
  private static let lateMax: Duration = .seconds(1)
  /// How long the message of the end is waited for that nobody needs any more.
  private static let leaveMax: Duration = .seconds(1)
  /// After so many frames behind the scan's it is over.
  private static let beyondMin = 8
  /// Gaps that are longer are not filled: it would be invention.
  private static let gapFilledMax = 8
  /// Messages that are passed over before the stage may look whether it shall stop.
  private static let passedMax = 256
  /// Numbers that may follow the last expected frame where frames say what they are.
  private static let numberSlack: UInt64 = 1 << 20

  /// Listens to `address`. `noticed` hears of every message that is dropped, and of senders that come and go.
  package convenience init(
    _ configuration: Configuration, address: StreamAddress, noticed: @escaping (SourceNotice) -> Void
  ) throws {
    let feed = try ZeroMQFeed(address, format: configuration.format)
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

  init(_ configuration: Configuration, feed: any FrameFeed, noticed: @escaping (SourceNotice) -> Void) {
    self.configuration = configuration
    self.feed = feed
    self.noticed = noticed
    pixels = FramePixels(configuration)
  }

  /// Rows and columns after cropping and binning.
  package var shape: (rows: Int, columns: Int) {
    (configuration.rows.count / configuration.binning, configuration.format.columns / configuration.binning)
  }

  /// What was lost.
  package var losses: LossLedger? { ledger }

  /// Goes on with the ledger of the last image; nil where that is lost.
  package func resume(after count: UInt64, metadata: [UInt8]) throws -> Int? {
    guard count > 0 else { return 0 }
    guard !metadata.isEmpty else { return nil }
    ledger = try metadata.withUnsafeBytes { try LossLedger(decoding: $0) }
    try feed.resume(after: configuration.firstFrame + ledger.next)
    return ledger.projections
  }

  /// The next image, or one in place of a lost one.
  package func next(timeout: Duration) throws -> SourceStep {
    if let frame = nextOfGap() { return .frame(frame) }
    for _ in 0..<Self.passedMax {
      if isComplete { return .end }
      switch try feed.next(timeout: timeout) {
      case .nothing: return isSilent ? .end : .nothing
      case .other: break
      case .end(let count):
        // One that comes before every frame belongs to the series before.
        guard ledger.next > 0 else { break }
        if let count { ledger.pass(to: min(count, UInt64(configuration.total))) }
        endWasTaken = true
        return .end
      case .fault(let fault, let detail): drop(fault, detail)
      case .notice(let notice):
        noticed(notice)
        continue
      case .frame(let header, let bytes):
        arrived = .now
        if let frame = take(header, bytes) { return .frame(frame) }
      }
      arrived = .now
    }
    return .nothing
  }

  /// Takes the message of the end, which comes behind the last image, where the end was found without it. A frame
  /// belongs to another scan.
  package func takeLeave() {
    let deadline = Deadline(after: Self.leaveMax)
    while feed.endIsAwaited, !endWasTaken, !deadline.hasPassed {
      // What goes wrong now changes nothing any more.
      switch try? feed.next(timeout: deadline.remaining) {
      case .end, .frame, nil: return
      case .fault, .notice, .other, .nothing: break
      }
    }
  }

  /// Unpacks an image into a slot, and writes the ledger beside it; nil where it is damaged.
  func write(
    _ kind: EventKind, _ image: SourceFrame.StreamImage, into payload: UnsafeMutableRawBufferPointer,
    metadata: UnsafeMutableRawBufferPointer
  ) -> Int? {
    do throws(MessageFault) {
      try pixels.write(image, into: payload)
    } catch {
      drop(error)
      // With it goes what was to be made of it.
      ledger.lose(image.header.number - configuration.firstFrame)
      gap = nil
      return nil
    }
    count(kind, isInterpolated: image.weight < 1)
    return ledger.encode(
      frame: configuration.firstFrame + image.number, timestamp: image.weight < 1 ? nil : image.header.timestamp,
      into: metadata)
  }

  private func frame(_ kind: EventKind, theta: Double, _ image: SourceFrame.StreamImage) -> SourceFrame {
    let index =
      switch kind {
      case .dark: ledger.darks
      case .flat: ledger.flats
      default: ledger.projections
      }
    let pixel = configuration.binning == 1 ? configuration.format.pixel : .float32
    return SourceFrame(kind: kind, index: index, theta: theta, pixel: pixel, origin: .stream(self, image))
  }

  private func drop(_ fault: MessageFault, _ detail: String? = nil) {
    ledger.noteMalformed(fault.rawValue)
    noticed(.dropped(fault, detail: detail, count: Int(ledger.malformed[fault.rawValue])))
  }

  private func count(_ kind: EventKind, isInterpolated: Bool) {
    switch kind {
    case .dark: ledger.darks += 1
    case .flat: ledger.flats += 1
    default:
      ledger.projections += 1
      if isInterpolated { ledger.interpolated += 1 }
    }
  }

  /// Whether every image is there, or what is missing will not come.
  private var isComplete: Bool {
    let missing = configuration.thetas.count - ledger.projections
    if missing <= 0, ledger.flats >= configuration.flats, ledger.darks >= configuration.darks { return true }
    return ledger.next >= configuration.total && ledger.lost >= missing && .now - framed > Self.lateMax
  }

  private var isSilent: Bool {
    guard let limit = configuration.silenceMax, ledger.next > 0 else { return false }
    return .now - arrived > limit
  }

  /// What a frame is; nil for one that is dropped.
  private func take(_ header: FrameHeader, _ bytes: UnsafeRawBufferPointer) -> SourceFrame? {
    let last = configuration.firstFrame + UInt64(configuration.total) + (header.key == nil ? 0 : Self.numberSlack)
    guard (configuration.firstFrame..<last).contains(header.number) else {
      drop(
        .number,
        "\(header.number) of \(configuration.firstFrame) to \(last - 1); --first-frame says where the detector begins")
      if header.number >= last { noteBeyond() }
      return nil
    }
    (framed, beyond) = (.now, 0)
    let number = header.number - configuration.firstFrame
    if configuration.onGap == .interpolate, number < ledger.next {
      ledger.noteDuplicate()
      return nil
    }
    let arrival = ledger.note(frame: number)
    guard arrival != .duplicate else { return nil }
    guard let kind = kind(of: number, header.key) else {
      ledger.invalid += 1
      return nil
    }
    let index = kind == .projection ? projectionIndex(number, isKeyed: header.key != nil) : 0
    guard hasRoom(for: kind), index < configuration.thetas.count else {
      drop(.surplus)
      return nil
    }
    let given = header.theta.map { configuration.usesRadians ? $0 : $0 * .pi / 180 }
    let theta = kind == .projection ? given ?? configuration.thetas[index] : 0
    let image = SourceFrame.StreamImage(number: number, header: header, bytes: bytes)
    beginGap(arrival, kind, theta: theta, image)
    return nextOfGap() ?? frame(kind, theta: theta, image)
  }

  /// A detector that goes on behind the scan has sent all of it: what did not come will hardly come any more. One such
  /// frame may be an error.
  private func noteBeyond() {
    beyond += 1
    if beyond == Self.beyondMin, ledger.next > 0 { ledger.pass(to: UInt64(configuration.total)) }
  }

  /// What a frame is of; nil for one that is invalid.
  private func kind(of number: UInt64, _ key: ImageKey?) -> EventKind? {
    switch key {
    case .projection: .projection
    case .flat: .flat
    case .dark: .dark
    case .invalid: nil
    case nil:
      number < configuration.darks ? .dark : number < configuration.darks + configuration.flats ? .flat : .projection
    }
  }

  private func hasRoom(for kind: EventKind) -> Bool {
    switch kind {
    case .dark: ledger.darks < configuration.darks
    case .flat: ledger.flats < configuration.flats
    default: ledger.projections < configuration.thetas.count
    }
  }

  /// The number of a projection among the projections of the scan, lost ones included.
  private func projectionIndex(_ number: UInt64, isKeyed: Bool) -> Int {
    let others = isKeyed ? ledger.darks + ledger.flats + ledger.invalid : configuration.darks + configuration.flats
    return max(0, Int(number) - others)
  }

  /// Begins to fill the gap before an image, where it is to be filled.
  private func beginGap(
    _ arrival: LossLedger.Arrival, _ kind: EventKind, theta: Double, _ image: SourceFrame.StreamImage
  ) {
    let before = lastProjection
    lastProjection = kind == .projection ? (image.number, theta) : nil
    guard configuration.onGap == .interpolate, kind == .projection, case .new(let lost) = arrival, !lost.isEmpty,
      lost.count <= Self.gapFilledMax, let before, before.number + 1 == lost.lowerBound
    else { return }
    gap = Gap(before: before, next: (image, theta), number: lost.lowerBound)
  }

  /// The next projection of the gap that is being filled; behind the gap, the frame that came.
  private func nextOfGap() -> SourceFrame? {
    guard let gap else { return nil }
    let next = gap.next.image
    guard gap.number < next.number, ledger.projections < configuration.thetas.count - 1 else {
      self.gap = nil
      return frame(.projection, theta: gap.next.theta, next)
    }
    self.gap?.number += 1
    let share = Double(gap.number - gap.before.number) / Double(next.number - gap.before.number)
    let theta = gap.before.theta + (gap.next.theta - gap.before.theta) * share
    return frame(
      .projection, theta: theta,
      SourceFrame.StreamImage(number: gap.number, header: next.header, bytes: next.bytes, weight: Float(share)))
  }
}
