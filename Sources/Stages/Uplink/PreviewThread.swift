import Fabric
import Glibc
import Host
import Rings
import Synchronization
import Topics

/// Shows the newest projections of a scan in fewer pixels, for people at the far end of a thin link, beside the uplink:
/// with a thread, a connection and a look at the topic of its own, so that it holds nothing up. What it does not get
/// to is skipped and counted, and whatever fails here ends no scan.
final class PreviewThread: @unchecked Sendable {
  // Sound: what both threads touch is behind `shared`; everything else is the own thread's from `begin` to `end`.
  private struct Shared {
    var share = PreviewShare()
    var report = UplinkReport.Preview()
    var isEnding = false
    var connection: FabricConnection?
  }

  private let configuration: UplinkConfiguration
  private let images: TopicFollower
  private let shared = Mutex(Shared())
  private let isOver = Atomic<Bool>(false)
  private var stream: PreviewStream?
  private var backOff = BackOff()
  /// Events below it were looked at.
  private var looked: UInt64 = 0
  /// The newest projection that was shown, and whether it was as the scan's last.
  private var lastShown: (projection: UInt64, isLast: Bool)?
  private var thread: pthread_t?

  private static let poll: Duration = .milliseconds(50)
  /// How long the last projection may take once the scan is on the servers.
  private static let endLimit: Duration = .seconds(2)
  /// Events behind the last projection, as fields that come late, that are looked at.
  private static let behindMax: UInt64 = 4096

  /// `images` is nobody else's.
  init(_ configuration: UplinkConfiguration, images: TopicFollower) throws(HostError) {
    (self.configuration, self.images) = (configuration, images)
    var id = pthread_t()
    // Sound: the thread is joined before this object goes, so the unretained reference is valid as long as it runs.
    let error = pthread_create(
      &id, nil,
      { argument in
        Unmanaged<PreviewThread>.fromOpaque(argument!).takeUnretainedValue().run()
        return nil
      }, Unmanaged.passUnretained(self).toOpaque())
    guard error == 0 else {
      throw .system(call: "pthread_create", subject: "preview", errno: Errno(rawValue: error))
    }
    thread = id
  }

  deinit { end(isComplete: false) }

  /// Takes note of how the uplink is.
  func note(acknowledged: UInt64, isBehind: Bool) {
    shared.withLock { $0.share.note(acknowledged: acknowledged, isBehind: isBehind) }
  }

  /// What was shown, and what was not.
  var report: UplinkReport.Preview { shared.withLock { $0.report } }

  /// Ends it; where everything else has gone up it may show the last projection before.
  func end(isComplete: Bool) {
    guard let thread else { return }
    shared.withLock { $0.isEnding = true }
    let deadline = Deadline(after: isComplete ? Self.endLimit : .zero)
    while !isOver.load(ordering: .acquiring), !deadline.hasPassed { usleep(10_000) }
    isOver.store(true, ordering: .releasing)
    // Whoever waits for an answer does so no longer.
    shared.withLock { $0.connection }?.close()
    pthread_join(thread, nil)
    self.thread = nil
    countRest()
  }

  private func run() {
    while !isOver.load(ordering: .acquiring) {
      do {
        if try turn() { break }
      } catch let error as FabricError {
        // Who waited to try again when the end came tries once more: servers may be back since.
        let wasEnding = shared.withLock(\.isEnding)
        suffer(error)
        if wasEnding { break }
      } catch {
        // What is wrong with the topic the uplink says, which needs all of it.
        shared.withLock { $0.report.away = "\(error)" }
        break
      }
    }
    isOver.store(true, ordering: .releasing)
  }

  /// Shows the newest projection, where there is one and it may go; true where no other will come.
  private func turn() throws -> Bool {
    let (isDue, isEnding) = shared.withLock { ($0.share.isDue() || $0.isEnding, $0.isEnding) }
    let published = images.published
    guard isDue, published > looked else {
      if isEnding { return published <= looked }
      if published > looked {
        pause(Self.poll)
      } else {
        _ = images.awaitEvent(published, timeout: Self.poll)
      }
      return false
    }
    let stream = try connected()
    let (event, hasEnded) = try newestProjection(published)
    guard let event else {
      looked = published
      return hasEnded
    }
    let shown = lastShown ?? (0, false), isNew = lastShown == nil || event.header.projection > shown.projection
    // One that was shown before it was known to be the last is shown once more.
    if isNew || hasEnded && !shown.isLast { try show(event, isNew: isNew, isLast: hasEnded, stream) }
    looked = published
    return hasEnded
  }

  private func show(_ event: Event, isNew: Bool, isLast: Bool, _ stream: PreviewStream) throws(FabricError) {
    let projection = event.header.projection, before = shared.withLock { $0.report.shown }
    let shown = min(before + (isNew ? 1 : 0), projection + 1)
    let byteCount = try stream.send(event, shown: shown, isLast: isLast)
    backOff.succeed()
    lastShown = (projection, isLast)
    shared.withLock { shared in
      shared.report.away = byteCount == nil ? "its images have too many pixels" : nil
      guard let byteCount else { return }
      shared.share.sent(byteCount)
      (shared.report.shown, shared.report.skipped) = (shown, projection + 1 - shown)
      shared.report.bytes += UInt64(byteCount)
    }
  }

  /// The newest projection below `end`, nil where none came since the last look, and whether the scan is over; then it
  /// is the last one. The event is valid until the next call.
  private func newestProjection(_ end: UInt64) throws -> (Event?, hasEnded: Bool) {
    guard case .event(let newest) = try images.arrival(at: end - 1) else { return (nil, false) }
    if newest.header.kind == .projection { return (newest, false) }
    let hasEnded = newest.header.kind == .end
    // Of what stands behind it a row is enough to know what it is.
    let first = end - min(end, Self.behindMax)
    for sequence in (min(end - 1, hasEnded ? first : max(looked, first))..<end - 1).reversed() {
      var table: BandTable?
      guard try images.event(at: sequence, rows: 0..<1, table: &table).header.kind == .projection,
        case .event(let event) = try images.arrival(at: sequence)
      else { continue }
      return (event, hasEnded)
    }
    return (nil, hasEnded)
  }

  /// The stream, which is made where it is not there. What a life before has shown its newest message says.
  private func connected() throws(FabricError) -> PreviewStream {
    if let stream { return stream }
    let connection = try FabricConnection(configuration.address, name: "slipring preview", sends: true, patience: .zero)
    shared.withLock { $0.connection = connection }
    let stream = try PreviewStream(connection, run: configuration.topic.identity.runID)
    try stream.make()
    // Where servers ask for no key anybody may have made it.
    if lastShown == nil, let newest = try stream.newest(), newest.projection < configuration.eventsMax {
      lastShown = (newest.projection, newest.isLast)
      shared.withLock { ($0.report.shown, $0.report.skipped) = (newest.shown, newest.skipped) }
    }
    self.stream = stream
    return stream
  }

  private func suffer(_ error: FabricError) {
    shared.withLock { ($0.report.away, $0.connection) = ("\(error)", nil) }
    stream = nil
    let deadline = Deadline(after: backOff.fail())
    while !deadline.hasPassed, !isOver.load(ordering: .acquiring), !shared.withLock({ $0.isEnding }) {
      pause(min(deadline.remaining, Self.poll))
    }
  }

  /// Counts what came and was not shown, once nothing more will be.
  private func countRest() {
    let published = images.published
    guard published > looked, let (event, _) = try? newestProjection(published), let event else { return }
    shared.withLock { shared in
      let all = event.header.projection + 1
      shared.report.skipped = all - min(all, shared.report.shown)
    }
  }
}
