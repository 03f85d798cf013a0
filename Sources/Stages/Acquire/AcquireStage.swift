import Detectors
import Glibc
import Host
import Rings
import RunModel
import Topics

/// Puts every image of a source into the topic `projections`, as it comes and where it lies.
package struct AcquireStage {
  private let source: any ProjectionSource
  private let writer: TopicWriter
  private let limits: WaitLimits
  private let period: Duration
  private let stopRequested: () throws -> EndEvent.Reason?
  private let didWork: () -> Void
  private let didEnd: (LossLedger) throws -> Void
  private var projections = 0
  /// Why the scan is to end before its source does.
  private var stop: EndEvent.Reason?
  /// Until when what the source holds is taken, once a stop was requested.
  private var leaving: Deadline?

  /// What a source holds is taken for so long, and nothing more is expected after so long a silence.
  private static let (leaveMax, leaveSilence) = (Duration.seconds(1), Duration.milliseconds(50))

  /// `rate` limits projections a second; `stopRequested` is asked between frames and while waiting, and gives the
  /// reason; `didWork` hears of every image, `didEnd` of what a live source has lost before the topic is closed.
  init(
    source: any ProjectionSource, writer: TopicWriter, rate: Double?, limits: WaitLimits,
    stopRequested: @escaping () throws -> EndEvent.Reason?, didWork: @escaping () -> Void,
    didEnd: @escaping (LossLedger) throws -> Void = { _ in }
  ) {
    self.source = source
    self.writer = writer
    self.limits = limits
    period = rate.map { .seconds(1 / $0) } ?? .zero
    self.stopRequested = stopRequested
    self.didWork = didWork
    self.didEnd = didEnd
  }

  /// Runs until the source ends or a stop is requested; then closes the topic with an `end` event. A successor of a
  /// stage that died leaves out what its predecessor published: every image is exactly one event.
  mutating func run() throws {
    let ending = try writer.ending()
    if ending == .closed { return }
    guard try resume(ending) else { return try finish(.salvaged) }
    var due = ContinuousClock.now
    var arrived = ContinuousClock.now
    acquisition: while try !mustEnd() {
      switch try source.next(timeout: leaving == nil ? WaitLimits.pollInterval : Self.leaveSilence) {
      case .end: break acquisition
      case .nothing:
        if leaving != nil { break acquisition }
        guard !limits.isOver(since: &arrived) else {
          throw StageError.stalled("the source sent nothing for \(limits.idle)")
        }
        continue
      case .frame(let frame):
        guard try pause(until: due), let claim = try claim() else { break acquisition }
        let isProjection = frame.kind == .projection
        if try deliver(frame, in: claim), isProjection {
          projections += 1
          due = max(due + period, .now - period)
        }
      }
      arrived = .now
    }
    try finish(stop ?? source.endReason)
  }

  /// Whether a stop was requested, and nothing is left that would be lost. A sender may go on: what it sends is taken
  /// for a moment only.
  private mutating func mustEnd() throws -> Bool {
    if stop == nil { stop = try stopRequested() }
    guard stop != nil else { return false }
    guard source.holdsFrames else { return true }
    let deadline = leaving ?? Deadline(after: Self.leaveMax)
    leaving = deadline
    return deadline.hasPassed
  }

  /// Goes on behind what a predecessor published; false where nothing is left but the end, which was lost.
  private mutating func resume(_ ending: TopicEnding) throws -> Bool {
    let newest = try ending == .lost ? writer.newestWhole() : writer.lastEvent()
    let (count, metadata) = (writer.nextSequence, newest?.metadata ?? [])
    let lost = ending == .lost ? count - (newest.map { $0.header.sequence + 1 } ?? 0) : 0
    if let projections = try source.resume(after: count, metadata: metadata, lost: lost) {
      self.projections = projections
      return true
    }
    guard lost > 0, let projections = try source.resume(after: count - 1, metadata: metadata, lost: lost - 1) else {
      throw StageError.disorder("the source has fewer images than were published")
    }
    self.projections = projections
    return false
  }

  /// Sleeps until `deadline`; false where the scan is to end before.
  private mutating func pause(until deadline: ContinuousClock.Instant) throws -> Bool {
    while try !mustEnd() {
      let left = deadline - .now
      if left <= .zero { return true }
      usleep(UInt32(min(left, WaitLimits.pollInterval) / .microseconds(1)))
    }
    return false
  }

  /// A slot, or nil where the scan is to end while none is free.
  private mutating func claim() throws -> Claim? {
    do {
      return try writer.claim(timeout: limits.room) { try mustEnd() }
    } catch let error as RingError where error.isTimeout {
      throw StageError.stalled("\(error.after(limits.room))")
    }
  }

  /// False where the image turned out to be damaged; its slot is the next one's.
  private func deliver(_ frame: consuming SourceFrame, in claim: Claim) throws -> Bool {
    let (rows, columns) = source.shape
    let byteCount = rows * columns * frame.pixel.byteCount
    var fields = EventFields(
      kind: frame.kind, payloadByteCount: byteCount, theta: frame.theta, projection: UInt64(frame.index), rows: rows,
      columns: columns, pixel: frame.pixel)
    fields.interval = frame.interval
    FaultPoint.claimed.reach()
    let payload = UnsafeMutableRawBufferPointer(rebasing: claim.payload[..<byteCount])
    guard let metadataByteCount = try frame.write(into: payload, metadata: claim.metadata) else { return false }
    fields.metadataByteCount = metadataByteCount
    FaultPoint.payloadHalf.reach { memset(claim.payload.baseAddress! + byteCount / 2, 0x5A, byteCount - byteCount / 2) }
    FaultPoint.payloadWritten.reach()
    fields.acquiredAt = Machine.realtimeNanoseconds
    try writer.commit(claim, fields)
    didWork()
    FaultPoint.committed.reach()
    return true
  }

  private func finish(_ reason: EndEvent.Reason) throws {
    if let losses = source.losses { try didEnd(losses) }
    let told = stop == nil ? source.toldEnd : nil, end = told ?? EndEvent(reason: reason, projections: projections)
    try writer.append(kind: .end, timeout: limits.room, end.encode)
    try writer.flush()
    if reason == .sourceEnded { source.takeLeave() }
  }
}
