internal import Glibc
internal import Host
internal import Rings
import Topics

/// A topic that is made to be measured: one ring with one required reader, and a journal where it is durable.
final class MeasuredTopic {
  let ring: Ring
  private let writer: TopicWriter
  private let source: UnsafeRawBufferPointer
  private let payload: Int
  private static let metadataByteCount = 8
  /// MADV_POPULATE_WRITE of <linux/mman.h>, which Glibc's module lacks.
  private static let populateForWriting: Int32 = 23
  /// A disk that takes longer for one event is broken.
  private static let patience: Duration = .seconds(60)

  /// Makes the ring `name`, which the caller unlinks, also after a failure; `source` holds the bytes that every payload
  /// is filled with. `folder` is that of the journal, nil for a topic in memory, and `mirror` that of its second copy.
  init(
    name: String, runID: RunID, payload: Int, slots: Int, source: UnsafeRawBufferPointer, folder: String?,
    mirror: String?
  ) throws {
    precondition(source.count >= payload, "\(source.count) B to fill \(payload) B with")
    let specification = RingSpecification(
      runID: runID, topic: 1, slotCount: slots, payloadCapacity: payload, requiredReaders: 1)
    let ring = try Ring.create(name: name, specification: specification)
    writer = try folder.map { try TopicWriter(ring: ring, folder: $0, mirror: mirror) } ?? TopicWriter(ring: ring)
    self.ring = ring
    // A page is mapped when it is first touched, which a steady stream does not pay: done here, for memory topics too.
    // Advice: an older kernel refuses it.
    madvise(UnsafeMutableRawPointer(mutating: ring.mapping.baseAddress!), ring.mapping.count, Self.populateForWriting)
    self.source = source
    self.payload = payload
  }

  /// The name goes; the mapping stays as long as somebody has it.
  func unlink() throws { try Ring.unlink(name: ring.name) }

  /// Publishes one event whose latency counts from `start`. Returns the nanoseconds of its claim and its commit,
  /// without those of filling its payload.
  @discardableResult
  func deliver(from start: UInt64) throws -> UInt64 {
    let before = Machine.monotonicNanoseconds
    let claim = try writer.claim(timeout: Self.patience)
    let claimed = Machine.monotonicNanoseconds
    fill(claim, start)
    let filled = Machine.monotonicNanoseconds
    try writer.commit(claim, fields)
    return Machine.monotonicNanoseconds - filled + (claimed - before)
  }

  /// The same without a look at the clock.
  @inline(__always)
  func deliverUntimed(from start: UInt64) throws {
    let claim = try writer.claim(timeout: Self.patience)
    fill(claim, start)
    try writer.commit(claim, fields)
  }

  @inline(__always)
  private func fill(_ claim: Claim, _ start: UInt64) {
    claim.metadata.storeBytes(of: start, as: UInt64.self)
    if payload > 0 { memcpy(claim.payload.baseAddress!, source.baseAddress!, payload) }
  }

  private var fields: EventFields {
    EventFields(kind: .projection, payloadByteCount: payload, metadataByteCount: Self.metadataByteCount)
  }

  /// Waits until everything is published.
  func flush() throws { try writer.flush() }
}
