import Host
import ScanPlan

extension RunStatus {
  /// Bands of the run; 0 where nobody says who makes them.
  private var bandCount: Int { (workers ?? []).reduce(0) { $0 + $1.bands.count } }

  /// The workers and their bands, a line; none where each has the one that it began with, as in a run without bands.
  package var workerLines: [String] {
    guard let workers, let moves = bandMoves, moves > 0 || workers.count != bandCount else { return [] }
    let each = workers.map { worker in
      let seconds = worker.updateSeconds.map { ", \(Self.thousandths($0)) s an update" } ?? ""
      return "\(worker.number) makes \(counted(worker.bands.count, "band")) on \(CoreList(worker.cores))\(seconds)"
    }
    return ["workers: \(each.joined(separator: "; ")); \(counted(moves, "band")) changed hands"]
  }

  /// How many workers there are, as a figure, and for how many bands where these are more.
  package var workersFigure: String {
    workers.map { "\($0.count)" + ($0.count == bandCount ? "" : " for \(counted(bandCount, "band"))") } ?? "–"
  }

  /// Bands that changed hands, as a figure.
  package var bandMovesFigure: String { bandMoves.map(String.init) ?? "–" }

  private static func thousandths(_ value: Double) -> String { "\((value * 1000).rounded() / 1000)" }
}
