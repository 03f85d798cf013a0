import Fabric
import Host
import ScanPlan
import Stages

/// Sends a node's slices back to the edge, from the files that it has written, before it tells of its parts: what the
/// edge sees a part of is there.
struct SliceReturn {
  private let plan: RunPlan
  private let part: FabricPart
  private let files: PartFiles

  /// How long servers may take nothing: longer than the edge waits for one that is away before it has others take it.
  private static let patience: Duration = .seconds(90)

  /// Of what `plan` has made; nil where its edge does not want it back, or slices are missing.
  init?(_ plan: RunPlan, _ report: ExportReport) throws(ScanFailure) {
    guard let part = plan.fabric, part.returnsSlices == true, report.missingRows.isEmpty else { return nil }
    (self.plan, self.part) = (plan, part)
    if let path = report.outputs.first(where: { $0.hasSuffix("_rec.h5") }) {
      files = try PartFiles(own: path, first: part.rows.lowerBound)
    } else {
      guard let path = report.outputs.first(where: { $0.hasSuffix(".tiff") }) else { return nil }
      files = try PartFiles(
        ownFolder: folderName(of: path), row: part.rows.lowerBound, firstSlice: plan.firstSlice - part.rows.lowerBound)
    }
  }

  /// Sends them, and waits a little for servers that are away, unless `isStopped`. Granules that are told of already
  /// have been sent.
  func send(isStopped: () -> Bool) throws {
    let slice = UnsafeMutableBufferPointer<Float>.allocate(capacity: files.columns * files.columns)
    defer { slice.deallocate() }
    var (backOff, deadline, again) = (BackOff(), Deadline(after: Self.patience), false)
    while true {
      do {
        guard let address = try plan.scan.fabricAddress() else { preconditionFailure("a node without a fabric") }
        let connection = try FabricConnection(address, name: "slipring node", sends: true, patience: .zero)
        let store = try FabricStore(connection, run: part.run)
        let untold = try part.taken.filter { try store.get(FabricNames.part($0)) == nil }.map { part.granules[$0] }
        try SliceStream(connection, run: part.run).deliver(
          untold.flatMap(Array.init), columns: files.columns, facts: files.facts,
          firsts: Set(untold.map(\.lowerBound)), again: again
        ) { row in
          if isStopped() { throw ScanFailure(.temporary, "the slices are not all sent back to the edge") }
          try files.read(row: row, into: slice)
          deadline = Deadline(after: Self.patience)
          return UnsafeBufferPointer(slice)
        }
        return
      } catch let error as FabricError {
        // The edge makes the stream anew where servers have lost it.
        guard error.mayPass || error.isMissing, !deadline.hasPassed, !isStopped() else { throw error }
        pause(min(backOff.fail(), deadline.remaining))
        again = true
      }
    }
  }
}
