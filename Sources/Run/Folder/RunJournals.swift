import Host
package import Journal
import Rings
import RunModel
import ScanPlan
import Stages

/// The journals of a run, looked at from outside.
package struct RunJournals {
  /// One topic's journal.
  package struct Entry: Codable, Sendable {
    /// As in `orders.0`.
    package let topic: String
    /// Its folder.
    package let folder: String
    /// Bytes from record to record.
    let stride: Int
    /// What reading it found.
    package let report: RecoveryReport

    /// Where in the last segment the next record goes; nil where the journal has no segment, or goes on in a new one.
    package var endOffset: Int? {
      guard let first = report.segments.last.flatMap({ UInt64($0.prefix { $0 != "." }) }), first <= report.nextSequence
      else { return nil }
      return EventHeader.pageByteCount + Int(report.nextSequence - first) * stride
    }
  }

  let folder: RunFolder
  let plan: RunPlan

  /// The journals of the run in `folder`.
  package init(_ folder: RunFolder) throws {
    self.folder = folder
    plan = try folder.readPlan()
    guard plan.scan.durability == .durable else {
      throw ScanFailure(
        .usage, "the run in \(folder.path) kept its events in memory (--durability memory): it has no journal")
    }
  }

  init(_ folder: RunFolder, _ plan: RunPlan) { (self.folder, self.plan) = (folder, plan) }

  /// Reads every journal, changing nothing: with `depth` `.tail` where it ends, with `.everything` each record.
  package func examine(depth: RecoveryDepth) throws -> [Entry] {
    try plan.wiring.topics.map { topic in
      Entry(
        topic: topic.name, folder: folder.journal(topic), stride: plan.ring(topic).slotStride,
        report: try report(on: topic, depth: depth))
    }
  }

  /// Reads one topic's journal, changing nothing.
  func report(on topic: Topic, depth: RecoveryDepth) throws -> RecoveryReport {
    let specification = plan.ring(topic)
    return try verifyJournal(
      device: PwriteDevice(folder: folder.journal(topic)), identity: specification.identity,
      stride: specification.slotStride,
      durableFloor: durableFloor(of: topic), depth: depth)
  }

  func reader(of topic: Topic) throws -> JournalReader {
    let specification = plan.ring(topic)
    return JournalReader(
      device: try PwriteDevice(folder: folder.journal(topic)), identity: specification.identity,
      stride: specification.slotStride)
  }

  /// Sequences below it were durable, because an order about them is: a record says only what was durable before it
  /// was written, and that may be little. Orders and reports themselves need no such witness; what is missing of
  /// them is made again.
  func durableFloor(of topic: Topic) throws -> UInt64 {
    guard topic == .projections || topic == .corrected else { return 0 }
    return try plan.placement.workers.indices.map { try ordered(in: .orders(partition: $0)) }.max() ?? 0
  }

  /// The sequences of `projections` that the last of a worker's orders was made after; 0 where they do not tell.
  private func ordered(in orders: Topic) throws -> UInt64 {
    let reader = try reader(of: orders)
    let page = UnsafeMutableRawBufferPointer.allocate(byteCount: reader.stride, alignment: EventHeader.pageByteCount)
    defer { page.deallocate() }
    do {
      // The end itself does not say what it was made after.
      for sequence in (0..<(try reader.sequences().last?.upperBound ?? 0)).suffix(2).reversed() {
        let record = try reader.read(sequence: sequence, into: page)
        if record.header.kind == .order { return try DistributionProgress(decoding: record.metadata).input }
      }
    } catch is EventError {
      return 0
    } catch let error as JournalError {
      guard case .host = error else { return 0 }
      throw error
    }
    return 0
  }
}
