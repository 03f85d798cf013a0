import Glibc
import Host
import Rings
public import Topics

/// Puts every image of a source into the topic `projections`, as it comes and where it lies.
public struct AcquireStage {
  private let source: any ProjectionSource
  private let writer: TopicWriter
  private let patience: Patience
  private let period: Duration
  private let stopRequested: () throws -> EndEvent.Reason?
  private let didWork: () -> Void
  private var projections = 0
  /// Why the scan is to end before its source does.
  private var stop: EndEvent.Reason?

  /// `rate` limits projections a second; `stopRequested` is asked between frames and while waiting, and gives the reason; `didWork` hears of every image.
  public init(
    source: any ProjectionSource, writer: TopicWriter, rate: Double?, patience: Patience,
    stopRequested: @escaping () throws -> EndEvent.Reason?,
    didWork: @escaping () -> Void
  ) {
    self.source = source
    self.writer = writer
    self.patience = patience
    period = rate.map { .seconds(1 / $0) } ?? .zero
    self.stopRequested = stopRequested
    self.didWork = didWork
  }

  /// Runs until the source ends or a stop is requested; then closes the topic with an `end` event. A successor of a stage that died
  /// leaves out what its predecessor published: every image is exactly one event.
  public mutating func run() throws {
    let ending = try writer.ending()
    if ending == .closed { return }
    for _ in 0..<writer.nextSequence {
      guard let frame = try source.next() else {
        guard ending == .lost else { throw StageError.disorder("the source has fewer images than were published") }
        return try finish(.salvaged)
      }
      if frame.kind == .projection { projections += 1 }
    }
    var due = ContinuousClock.now
    while let frame = try source.next() {
      guard try pause(until: due), let claim = try claim() else { break }
      try deliver(frame, in: claim)
      if frame.kind == .projection {
        projections += 1
        due = max(due + period, .now - period)
      }
    }
    try finish(stop ?? .sourceEnded)
  }

  /// Whether a stop was requested.
  private mutating func isStopped() throws -> Bool {
    if stop == nil { stop = try stopRequested() }
    return stop != nil
  }

  /// Sleeps until `deadline`; false where a stop was requested.
  private mutating func pause(until deadline: ContinuousClock.Instant) throws -> Bool {
    while try !isStopped() {
      let left = deadline - .now
      if left <= .zero { return true }
      usleep(UInt32(min(left, Patience.glance) / .microseconds(1)))
    }
    return false
  }

  /// A slot, or nil where a stop was requested while none was free.
  private mutating func claim() throws -> Claim? {
    let start = ContinuousClock.now
    var last: RingError?
    while ContinuousClock.now - start < patience.room {
      do {
        return try writer.claim(timeout: Patience.glance)
      } catch let error as RingError where error.isTimeout {
        if try isStopped() { return nil }
        last = error
      }
    }
    throw StageError.stalled("no room in projections for \(patience.room): \(last.map { "\($0)" } ?? "")")
  }

  private func deliver(_ frame: Frame, in claim: Claim) throws {
    let (rows, columns) = source.shape
    let byteCount = rows * columns * frame.elementType.byteCount
    FaultPoint.claimed.reach()
    try source.read(into: UnsafeMutableRawBufferPointer(rebasing: claim.payload[..<byteCount]))
    FaultPoint.payloadHalf.reach { memset(claim.payload.baseAddress! + byteCount / 2, 0x5A, byteCount - byteCount / 2) }
    FaultPoint.payloadWritten.reach()
    try writer.commit(
      claim,
      EventFields(
        kind: frame.kind, acquiredAt: Machine.realtimeNanoseconds, payloadByteCount: byteCount, metadataByteCount: 0, theta: frame.theta,
        projection: UInt64(frame.index), rows: rows, columns: columns, elementType: frame.elementType))
    didWork()
    FaultPoint.committed.reach()
  }

  private func finish(_ reason: EndEvent.Reason) throws {
    try writer.append(kind: .end, timeout: patience.room, EndEvent(reason: reason, projections: projections).encode)
    try writer.flush()
  }
}
