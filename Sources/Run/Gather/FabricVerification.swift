import Fabric
import Host
import Journal
import Rings
package import ScanPlan

/// What reading everything that servers keep of a run found.
package struct FabricVerification: Encodable, Sendable {
  /// The run at the edge.
  package let run: String
  /// Messages that were read.
  package let messages: Int
  /// Granules whose stream is not there.
  let absent: [Int]
  /// The first of what is wrong.
  let findings: [StreamCheck.Finding]
  /// How much of it there is.
  let findingCount: Int
  /// Whether it was compared with the edge's journal.
  package let hasJournal: Bool

  /// Reads all messages of a run, and compares them with the journal of the edge's run in `folder`, where it is named.
  /// `stopRequested` throws where it is to end.
  package init(_ runs: FabricRuns, _ text: String, folder: RunFolder?, stopRequested: () throws -> Void) throws {
    let run = try runs.run(text), journal = try folder.map { try EdgeJournal($0, run: run) }
    let check = try runs.check(run)
    try check.run(edge: journal.map { journal in { try journal.event(at: $0) } }, stopRequested: stopRequested)
    (self.run, messages, absent) = ("\(run)", check.messages, check.absent)
    (findings, findingCount, hasJournal) = (check.findings, check.count, journal != nil)
  }

  /// Why the streams are not what they should be, in a line; nil where they are.
  package var failure: ScanFailure? {
    guard !absent.isEmpty || findingCount > 0 else { return nil }
    let gone =
      absent.isEmpty
      ? [] : ["there are no streams of granules \(absent.prefix(8).map(String.init).joined(separator: ", "))"]
    let wrong = findings.prefix(4).map { "event \($0.sequence) of granule \($0.granule) is \($0.kind.rawValue)" }
    let more = findingCount > wrong.count ? ["\(findingCount - wrong.count) more"] : []
    return ScanFailure(
      .data,
      "the streams of run \(run) are not whole: \((gone + wrong + more).joined(separator: "; ")); nodes ask the edge "
        + "for what is missing or damaged, as long as its run goes on")
  }
}

/// The images of an edge's run, as its journal has them.
private final class EdgeJournal {
  private let reader: JournalReader
  private let memory: UnsafeMutableRawBufferPointer

  init(_ folder: RunFolder, run: RunID) throws {
    let plan = try folder.readPlan()
    guard plan.runID == run else {
      throw ScanFailure(.usage, "\(folder.path) is run \(plan.runID), and not \(run)")
    }
    let specification = plan.ring(plan.images)
    reader = JournalReader(
      device: try openJournalReader(
        folder: folder.journal(plan.images), mirror: folder.mirror(plan.images, plan),
        identity: specification.identity, stride: specification.slotStride),
      identity: specification.identity,
      stride: specification.slotStride)
    memory = .allocate(byteCount: specification.slotStride, alignment: EventHeader.pageByteCount)
  }

  deinit { memory.deallocate() }

  /// An event; nil for one that the journal does not have.
  func event(at sequence: UInt64) throws -> StreamCheck.Known? {
    do {
      let record = try reader.read(sequence: sequence, into: memory)
      return (record.header, record.payload)
    } catch JournalError.absent { return nil }
  }
}
