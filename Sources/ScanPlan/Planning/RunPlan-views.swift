import Host
import Rings
package import Stages

// What of a run is put together for programs of people.
extension RunPlan {
  /// The views that `join` writes, and from what.
  package var joining: JoinConfiguration {
    JoinConfiguration(views: scan.views, rows: placement.workers.map(\.rows))
  }

  /// Of each view bytes of the voxels that an item of it has.
  var viewByteCounts: [Int] {
    scan.views.map { ($0.copied?.count ?? 0) * geometry.columns * geometry.columns * MemoryLayout<Float>.stride }
  }

  /// Bytes of all views on disk, at most.
  var viewsByteCount: Int {
    zip(scan.views, viewByteCounts).reduce(0) { sum, view in
      let items = view.0.match == .window ? updateCount * placement.workers.count : shape.projections
      let pages = items * EventHeader.pageByteCount
      return sum + pages + (view.1 > 0 ? min(view.0.storeMax, items * view.1) : 0)
    }
  }

  /// Throws where a view names what the run does not have.
  func checkViews() throws(ScanFailure) {
    for view in scan.views {
      for source in [view.from, view.with] {
        guard case .updates(let worker?) = source, worker >= placement.workers.count else { continue }
        throw ScanFailure(
          .usage,
          "--view \(view.name) joins updates.\(worker), and there are workers 0 to "
            + "\(placement.workers.count - 1)")
      }
      guard let copied = view.copied else { continue }
      let rows = placement.workers.map(\.rows)
      guard let first = rows.first?.lowerBound, let end = rows.last?.upperBound, first <= copied.lowerBound,
        copied.upperBound <= end
      else {
        throw ScanFailure(
          .usage,
          "--view \(view.name) copies rows \(copied.lowerBound) to \(copied.upperBound - 1), and the run makes "
            + "\(rows.first?.lowerBound ?? 0) to \((rows.last?.upperBound ?? 1) - 1)")
      }
      if case .updates(let worker?) = view.with, !rows[worker].overlaps(copied) {
        throw ScanFailure(.usage, "--view \(view.name) copies rows that worker \(worker) does not make")
      }
    }
  }
}
