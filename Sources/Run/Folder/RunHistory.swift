import Host
import Journal
import Rings
package import RunModel
import ScanPlan
import Stages

/// When what happened in a durable run, from its journals. All times are nanoseconds since 1970.
package struct RunHistory: Sendable {
  /// One update of one worker.
  package struct Update: Sendable {
    /// What it covered.
    package let event: UpdateEvent
    /// When the volume was updated.
    package let updatedAt: UInt64
  }

  /// When each projection was acquired.
  package private(set) var acquiredAt: [UInt64] = []
  /// The updates of each worker, in their order.
  package private(set) var updates: [[Update]] = []
  /// What control scored, in its order.
  package private(set) var scores: [ScoreEvent] = []
  /// Bytes of all records, padding included.
  package private(set) var journalByteCount = 0

  /// Reads the journals of the run in `folder`, which has ended. Throws `.usage` for a run in memory.
  package init(_ folder: RunFolder) throws {
    let plan = try folder.readPlan()
    guard plan.scan.durability == .durable else {
      throw ScanFailure(
        .usage, "the run in \(folder.path) kept its events in memory (--durability memory): it has no journal")
    }
    updates = plan.placement.workers.map { _ in [] }
    for topic in plan.wiring.topics {
      try Self.forEachRecord(of: topic, plan, folder) { record, stride in
        journalByteCount += stride
        switch (topic.kind, record.header.kind) {
        case (.projections, .projection) where Int(record.header.projection) == acquiredAt.count:
          acquiredAt.append(record.header.acquiredAt)
        case (.updates, .update):
          updates[topic.partition].append(
            Update(event: try UpdateEvent(decoding: record.metadata), updatedAt: record.header.acquiredAt))
        case (.scores, .score): scores.append(try ScoreEvent(decoding: record.metadata))
        default: break
        }
      }
    }
  }

  private static func forEachRecord(
    of topic: Topic, _ plan: RunPlan, _ folder: RunFolder, _ body: (JournalReader.Record, Int) throws -> Void
  ) throws {
    let specification = plan.ring(topic)
    let reader = JournalReader(
      device: try openJournalReader(
        folder: folder.journal(topic), mirror: folder.mirror(topic, plan), identity: specification.identity,
        stride: specification.slotStride),
      identity: specification.identity,
      stride: specification.slotStride)
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: specification.slotStride, alignment: EventHeader.pageByteCount)
    defer { buffer.deallocate() }
    for range in try reader.sequences() {
      for sequence in range { try body(reader.read(sequence: sequence, into: buffer), specification.slotStride) }
    }
  }
}
