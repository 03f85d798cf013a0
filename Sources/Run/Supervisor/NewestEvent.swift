import Rings
import Topics

/// The newest event of a topic, for who looks from outside: of its ring, or, where nothing was written since a resume,
/// of its journal.
struct NewestEvent {
  private let observer: RingObserver
  private let before: (header: EventHeader, metadata: [UInt8])?

  /// An observer of `ring`; `folder` is the topic's journal, with a copy in `mirror`; nil for a topic in memory.
  init(ring: Ring, journal folder: String?, mirror: String?) {
    observer = RingObserver(ring: ring)
    before = folder.flatMap { Self.last(before: ring.specification, in: $0, mirror) }
  }

  /// The last event of the journal. One that is damaged is not shown: who needs it meets the damage, and says so.
  private static func last(before specification: RingSpecification, in folder: String, _ mirror: String?)
    -> (EventHeader, [UInt8])?
  {
    let first = specification.firstSequence
    guard first > 0 else { return nil }
    do {
      let history = try TopicHistory(folder: folder, mirror: mirror, specification: specification)
      let event = try history.event(at: first - 1, published: first)
      return (event.header, Array(event.metadata))
    } catch { return nil }
  }

  /// Its header and metadata; nil for a topic without events, or where the writer was always faster.
  func latest() throws -> (header: EventHeader, metadata: [UInt8])? { try observer.latest() ?? before }

  /// Those of another event, where the ring has it.
  func event(at sequence: UInt64) throws -> (header: EventHeader, metadata: [UInt8])? {
    if let before, before.header.sequence == sequence { return before }
    return try observer.event(at: sequence)
  }
}
