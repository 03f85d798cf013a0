import Alarms
import Host
import Journal
import Rings
import RunModel
import ScanPlan

/// The figures of a run as its watch saw them, from its journal: ten looks a second, each a line of a table.
package struct RunGauges {
  private let reader: JournalReader
  private let run: String

  /// The names of the columns.
  package static let columns = ["run", "time", "evidence"] + Gauge.allCases.map(\.rawValue)

  /// Of the run in `folder`, which may go on.
  /// - Throws: `.usage` for a run in memory, or one that was not watched.
  package init(_ folder: RunFolder) throws {
    let journals = try RunJournals(folder)
    guard journals.plan.watching != nil else {
      throw ScanFailure(
        .usage, "the run in \(folder.path) was not watched: a file that waits is with --trigger, a detector always")
    }
    (reader, run) = (try journals.reader(of: .alarms), journals.plan.run)
  }

  /// The figures that were known at any look.
  func seen() throws -> Set<Gauge> {
    var seen: Set<Gauge> = []
    try forEachSample { sample in seen.formUnion(Gauge.allCases.filter { sample[$0] != nil }) }
    return seen
  }

  /// Calls `body` with the cells of each line, in the order of time; a figure that was not new is an empty cell.
  package func forEachLook(_ body: ([String]) throws -> Void) throws {
    try forEachSample { sample in
      let figures = Gauge.allCases.map { gauge in sample[gauge].map { "\($0)" } ?? "" }
      try body([run, "\(Double(sample.at) / 1e9)", sample.evidence.map { "\($0)" } ?? ""] + figures)
    }
  }

  private func forEachSample(_ body: (GaugeSample) throws -> Void) throws {
    let page = UnsafeMutableRawBufferPointer.allocate(byteCount: reader.stride, alignment: EventHeader.pageByteCount)
    defer { page.deallocate() }
    for sequence in try reader.sequences().joined() {
      let record = try reader.read(sequence: sequence, into: page)
      guard record.header.kind == .gauges else { continue }
      for sample in try GaugesEvent(decoding: record.metadata).samples { try body(sample) }
    }
  }
}
