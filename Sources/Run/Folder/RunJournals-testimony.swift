import Journal
import Rings
import RunModel
import ScanPlan

// What journals say of each other: records that nothing in their own journal vouches for, because they were written in
// one go, look like a write that was cut off where the first of them is damaged.
extension RunJournals {
  /// Sequences below it were durable, because something that was made of them is: a record says only what was durable
  /// before it was written, and that may be little. Orders vouch for what they were made after, and updates and saved
  /// volumes for the orders that they follow.
  func durableFloor(of topic: Topic) throws -> UInt64 {
    switch topic.kind {
    case .projections, .corrected: return try testimonies().map(\.input).max() ?? 0
    case .orders:
      // Orders that are made again are fewer at first than those that the updates followed.
      if folder.hasSetAside(topic) || RunMirror(plan)?.hasSetAside(topic) ?? false
        || RunParity(plan)?.hasSetAside(topic) ?? false
      {
        return 0
      }
      return try max(
        newestUpdate(ofWorker: topic.partition)?.cursor ?? 0,
        plan.checkpoint(ofWorker: topic.partition, in: folder).newestUpdate()?.cursor ?? 0)
    default: return 0
    }
  }

  /// How `projections` ended, as far as orders or updates say.
  func testifiedEnd() throws -> EndEvent? {
    if let end = try testimonies().compactMap(\.end).first { return end }
    let updates = plan.placement.workers.indices.map { Topic.updates(partition: $0) }
    return try updates.compactMap { try testimony(of: $0).end }.first
  }

  /// What a worker's orders, or its updates, say of the topic that they were made after.
  private struct Testimony {
    /// Sequences below it were there.
    var input: UInt64 = 0
    /// How it ended; nil where the orders were made before that.
    var end: EndEvent?
  }

  private func testimonies() throws -> [Testimony] {
    try plan.placement.workers.indices.map { try testimony(of: .orders(partition: $0)) }
  }

  /// What the last event of a topic and the order before it say; nothing where they do not tell.
  private func testimony(of topic: Topic) throws -> Testimony {
    let reader = try reader(of: topic)
    let page = UnsafeMutableRawBufferPointer.allocate(byteCount: reader.stride, alignment: EventHeader.pageByteCount)
    defer { page.deallocate() }
    var testimony = Testimony()
    do {
      // The end itself does not say what it was made after: the order before it does.
      for sequence in (0..<(try reader.sequences().last?.upperBound ?? 0)).suffix(2).reversed() {
        let record = try reader.read(sequence: sequence, into: page)
        if record.header.kind == .end {
          let end = try EndEvent(decoding: record.metadata)
          testimony.end = EndEvent(reason: end.reason, projections: end.acquired)
        }
        guard record.header.kind == .order else { continue }
        let progress = try DistributionProgress(decoding: record.metadata)
        testimony.input = progress.input
        if let reason = progress.end {
          testimony.end = EndEvent(reason: reason, projections: progress.acquired)
        } else if testimony.end != nil {
          // It was read behind what that order was made after.
          testimony.input += 1
        }
        break
      }
    } catch is EventError {
      return testimony
    } catch let error as JournalError {
      guard case .host = error else { return testimony }
      throw error
    }
    return testimony
  }

  /// The newest update that a worker reported; nil where its journal does not tell.
  private func newestUpdate(ofWorker worker: Int) throws -> UpdateEvent? {
    let reader = try reader(of: .updates(partition: worker))
    let page = UnsafeMutableRawBufferPointer.allocate(byteCount: reader.stride, alignment: EventHeader.pageByteCount)
    defer { page.deallocate() }
    do {
      // Behind the last one is the end.
      for sequence in (0..<(try reader.sequences().last?.upperBound ?? 0)).suffix(2).reversed() {
        let record = try reader.read(sequence: sequence, into: page)
        if record.header.kind == .update { return try UpdateEvent(decoding: record.metadata) }
      }
    } catch is EventError {
      return nil
    } catch let error as JournalError {
      guard case .host = error else { return nil }
      throw error
    }
    return nil
  }
}
