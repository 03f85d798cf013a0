package import Host

/// Why a ring cannot go on: one line that says what, where, and what can be done.
package enum RingError: SysExitError, Sendable, Equatable {
  /// The machine refused something.
  case host(HostError)
  /// A region or a place in it may not be used.
  case refused(ring: String, reason: String)
  /// The epoch of this writer or reader ended: another one took its place. It must stop.
  case fenced(ring: String, epoch: UInt64)
  /// No slot became free in time, for the reader that is furthest behind.
  case timedOut(ring: String, reader: Int, holding: UInt64, timeout: Duration)
  /// The ring is full and none of its spill slots became durable in time: the disk does not keep up.
  case diskBehind(ring: String, durable: UInt64, timeout: Duration)
  /// The ring is full and its events may be dropped; `total` were since the ring was made.
  case dropped(ring: String, total: UInt64)
  /// An event is no longer in the ring, or no longer protected by this reader's lease; `found` is the oldest that is.
  case gap(ring: String, expected: UInt64, found: UInt64)
  /// An event was published and is not in the ring, which had no room for it: it is on disk.
  case spilled(ring: String, sequence: UInt64)
  /// An event is not published yet.
  case notPublished(ring: String, sequence: UInt64)
  /// Bytes in the ring are not what a writer left there.
  case damaged(ring: String, sequence: UInt64, reason: String)
  /// A number is at its limit: 2^18 − 1 epochs, 2^44 − 1 sequences. Runs do not get there, a flipped bit does.
  case exhausted(ring: String, what: String)

  /// The exit code of sysexits.h that fits.
  package var sysExit: SysExit {
    switch self {
    case .host(let error): error.sysExit
    case .refused: .noPermission
    case .damaged, .exhausted: .inputOutput
    case .timedOut, .diskBehind, .dropped: .temporary
    case .fenced, .gap, .spilled, .notPublished: .software
    }
  }

  /// Whether a claim failed only because nothing became free in time: it may be repeated.
  package var isTimeout: Bool {
    switch self {
    case .timedOut, .diskBehind: true
    default: false
    }
  }

  /// The same, where the wait of this length was cut into shorter ones.
  package func after(_ timeout: Duration) -> RingError {
    switch self {
    case .timedOut(let ring, let reader, let holding, _):
      .timedOut(ring: ring, reader: reader, holding: holding, timeout: timeout)
    case .diskBehind(let ring, let durable, _): .diskBehind(ring: ring, durable: durable, timeout: timeout)
    default: self
    }
  }

  /// What happened, to which ring, and what can be done.
  package var description: String {
    switch self {
    case .host(let error): error.description
    case .refused(let ring, let reason): "ring \(ring) is refused: \(reason)"
    case .fenced(let ring, let epoch): "ring \(ring): epoch \(epoch) has ended, another process took over"
    case .timedOut(let ring, let reader, let holding, let timeout):
      "ring \(ring) stayed full for \(timeout): reader \(reader) still holds event \(holding); look whether it runs, "
        + "or give the ring more slots"
    case .diskBehind(let ring, let durable, let timeout):
      "ring \(ring) stayed full for \(timeout), and its disk is still writing event \(durable); look at the disk, "
        + "or for a reader that hangs"
    case .dropped(let ring, let total): "ring \(ring) is full: event dropped, \(total) in all"
    case .gap(let ring, let expected, let found):
      "ring \(ring): event \(expected) is gone, the oldest one held is \(found)"
    case .spilled(let ring, let sequence): "ring \(ring): event \(sequence) is on disk only"
    case .notPublished(let ring, let sequence): "ring \(ring): event \(sequence) is not published yet"
    case .damaged(let ring, let sequence, let reason):
      "ring \(ring), event \(sequence): \(reason); its memory was overwritten"
    case .exhausted(let ring, let what):
      "ring \(ring) has no \(what) left, or its memory was overwritten; resume the run, which makes it anew"
    }
  }
}
