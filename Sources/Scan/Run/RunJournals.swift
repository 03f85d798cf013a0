import Foundation
import Host
public import Journal
import Rings
import Topics

/// The journals of a run, looked at from outside.
public struct RunJournals {
  /// One topic's journal.
  public struct Entry: Codable, Sendable {
    /// As in `chunks.0`.
    public let topic: String
    /// Its folder.
    public let folder: String
    /// Bytes from record to record.
    public let stride: Int
    /// What reading it found.
    public let report: RecoveryReport

    /// Where in the last segment the next record goes; nil where the journal has no segment, or goes on in a new one.
    public var endOffset: Int? {
      guard let first = report.segments.last.flatMap({ UInt64($0.prefix { $0 != "." }) }), first <= report.nextSequence else { return nil }
      return EventHeader.pageByteCount + Int(report.nextSequence - first) * stride
    }
  }

  private let folder: RunFolder
  private let plan: RunPlan

  /// The journals of the run in `folder`.
  public init(_ folder: RunFolder) throws {
    self.folder = folder
    plan = try folder.readPlan()
    guard plan.scan.durability == .durable else {
      throw ScanFailure(.usage, "the run in \(folder.path) kept its events in memory (--durability memory): it has no journal")
    }
  }

  /// Reads every journal, changing nothing: with `depth` `.tail` where it ends, with `.everything` each record.
  public func examine(depth: RecoveryDepth) throws -> [Entry] {
    try plan.topics.map { topic in
      let specification = plan.ring(topic)
      let path = folder.journal(topic)
      let report = try verifyJournal(
        device: PwriteDevice(folder: path), identity: specification.identity, stride: specification.slotStride, depth: depth)
      return Entry(topic: topic.name, folder: path, stride: specification.slotStride, report: report)
    }
  }

  /// Gives up what is damaged, on the record, so that the run can be resumed without it. Refused while the run is alive.
  public func salvage() throws -> [(topic: String, damages: [JournalDamage])] {
    guard try !RegionLock.isHeld(name: RegionNames(runID: plan.runID).lock) else {
      throw ScanFailure(.cannotCreate, "the run in \(folder.path) has a living supervisor; salvage is for runs that ended")
    }
    return try plan.topics.map { topic in
      let specification = plan.ring(topic)
      let device = try openJournalDevice(folder: folder.journal(topic))
      let damages = try salvageJournal(
        device: device, identity: specification.identity, stride: specification.slotStride, options: TopicWriter.options(specification))
      return (topic.name, damages)
    }
  }
}
