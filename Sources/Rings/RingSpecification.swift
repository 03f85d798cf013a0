/// What a writer does when a required reader still holds the slot that it needs.
package enum WhenFull: UInt16, Sendable, Codable {
  /// It waits, as long as it says.
  case wait = 0
  /// It drops its event, which is counted.
  case drop
  /// It takes one of the ring's spill slots, from which the event is written to disk. Readers find that the ring does
  /// not have it, and read it from there. Only for a ring whose events are made durable before they are published.
  case spill
}

/// What a ring is made for.
package struct RingSpecification: Sendable, Equatable {
  /// The most required readers.
  static let readerLimit = 32
  /// The most slots.
  static let slotLimit = 1 << 24
  /// The most bytes of payload, 1 TiB.
  static let payloadLimit = 1 << 40

  /// Whose events the ring carries.
  package var identity: RingIdentity
  /// How many events it holds, at least 2.
  package var slotCount: Int
  /// The most payload bytes of an event.
  package var payloadCapacity: Int
  /// How many readers the writer never overruns, numbered from 0; awaited from the ring's creation.
  package var requiredReaders: Int
  /// What the writer does when the ring is full.
  var whenFull: WhenFull
  /// With `.spill`, how many events may be on their way to disk beside the ring, at least 2. Otherwise 0.
  package var spillSlotCount: Int
  /// The sequence of the first event: 0, or where an earlier ring of the same topic ended.
  package var firstSequence: UInt64
  /// The chain of the first event: 0, or `EventHeader.chainAfter` of the last one of the earlier ring.
  var firstChain: UInt64
  /// The last epoch granted in an earlier ring of the same topic, or 0.
  package var firstEpoch: UInt64

  /// A specification as given; it is a programmer's error to exceed the limits above.
  package init(
    runID: RunID, topic: UInt32, partition: UInt32 = 0, slotCount: Int, payloadCapacity: Int, requiredReaders: Int,
    whenFull: WhenFull = .wait, spillSlotCount: Int = 0, firstSequence: UInt64 = 0, firstChain: UInt64 = 0,
    firstEpoch: UInt64 = 0
  ) {
    identity = RingIdentity(runID: runID, topic: topic, partition: partition)
    self.slotCount = slotCount
    self.payloadCapacity = payloadCapacity
    self.requiredReaders = requiredReaders
    self.whenFull = whenFull
    self.spillSlotCount = spillSlotCount
    self.firstSequence = firstSequence
    self.firstChain = firstChain
    self.firstEpoch = firstEpoch
  }

  /// Whether every figure is within its limit.
  var isPossible: Bool {
    // Two at least: the newest event stays while the next one is claimed, so that a successor finds it.
    (2...Self.slotLimit).contains(slotCount) && (0...Self.payloadLimit).contains(payloadCapacity)
      && (0...Self.readerLimit).contains(requiredReaders)
      && (whenFull == .spill ? 2...Self.slotLimit : 0...0).contains(spillSlotCount)
      && firstSequence <= TaggedWord.sequenceLimit - UInt64(slotCount)
      && firstEpoch < TaggedWord.epochLimit
  }

  /// The bytes from one slot to the next: the header page and the payload, padded to whole pages.
  package var slotStride: Int {
    let page = EventHeader.pageByteCount
    return page + (payloadCapacity + page - 1) / page * page
  }

  /// The bytes of the region; nil beyond the limits or what an address can express.
  package var regionByteCount: Int? {
    guard isPossible else { return nil }
    let (slots, overflows) = slotStride.multipliedReportingOverflow(by: slotCount + spillSlotCount)
    let (sum, sumOverflows) = slots.addingReportingOverflow(RingLayout.headerByteCount)
    return overflows || sumOverflows ? nil : sum
  }
}
