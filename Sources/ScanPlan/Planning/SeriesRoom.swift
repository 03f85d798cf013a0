import Detectors
package import Host
import Rings
import Spools

/// Bytes on disk that a series of a live scan needs until its last volume is there: a detector does not send twice, so
/// all of it is to be known before the first frame.
package struct SeriesRoom: Sendable {
  /// All frames of the scan, as they come.
  let spool: Int
  /// The files of all volumes.
  let output: Int
  /// Journals and checkpoints of the runs that are kept, of the largest one at least.
  let journal: Int
  /// Free where frames and volumes go.
  let outputFree: Int
  /// Free where journals go, which may be the same disk.
  let journalFree: Int
  private let scan: ScanDescription

  /// What these parts of a scan need.
  package init(_ scan: ScanDescription, parts: [Range<Int>], topology: Topology) throws {
    precondition(!parts.isEmpty, "a series without a part")
    self.scan = scan
    // With one more projection than the others, the largest is any of them.
    let largest = parts.max { $0.count < $1.count } ?? parts[0]
    let planner = try Planner(scan.part(largest), topology: topology)
    let plan = try planner.plan(runID: .random(), command: []), room = try RunRoom(plan)
    guard let live = plan.live, let projections = scan.projections else {
      preconditionFailure("a series of \(scan.input) was planned as a live one")
    }
    spool = SpoolDescription.byteCount(
      FrameFormat(rows: live.rows, columns: live.columns, pixel: live.pixel),
      frames: projections + live.flats + live.darks)
    output = parts.count * room.output
    journal = (scan.retain == .none ? 1 : parts.count) * room.journal
    (outputFree, journalFree) = (room.outputFree, room.journalFree)
  }

  /// What there is no room for, in one line.
  package var shortfall: ScanFailure? {
    let (here, there) = scan.runFolder == nil ? (spool + output + journal, 0) : (spool + output, journal)
    let keeping = scan.retain == .none ? "" : "; --retain none needs less, as it keeps no run's journals"
    if here > outputFree {
      return ScanFailure(
        .cannotCreate,
        "the series needs \(bytes(here)) and \(scan.outputFolder) has \(bytes(outputFree)) free: "
          + "\(bytes(spool)) for frames as they come, \(bytes(output)) for volumes"
          + (there == 0 ? ", \(bytes(journal)) for journals\(keeping)" : "") + "; choose another --output-folder")
    }
    guard there > journalFree, let folder = scan.runFolder else { return nil }
    return ScanFailure(
      .cannotCreate,
      "the journals of the series need \(bytes(there)) and \(folder) has \(bytes(journalFree)) free; choose another "
        + "--run-folder\(keeping)")
  }

  /// What to say before the start.
  package var notice: String {
    "until the last volume is there the series takes \(bytes(spool)) for frames, \(bytes(output)) for volumes and "
      + "\(bytes(journal)) for journals on disk; \(bytes(outputFree)) are free"
  }
}
