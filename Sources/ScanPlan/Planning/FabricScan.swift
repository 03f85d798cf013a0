package import Fabric
import Host
package import Rings

/// A run at an edge, as a node sees it that has not taken any of its granules yet.
package struct FabricScan: Sendable {
  private let plan: FabricPlan

  /// The key of its plan.
  package static let key = FabricPlan.key

  /// Reads the plan of `run`.
  /// - Throws: `.data` where it is another version's, another run's, or none.
  package init(decoding bytes: [UInt8], run: RunID) throws(ScanFailure) {
    plan = try FabricPlan(decoding: bytes, run: run)
  }

  /// The run at the edge.
  package var run: RunID { plan.run }
  /// What outputs are named after.
  package var name: String { plan.name }
  /// The rows of each granule.
  package var granules: Granules { plan.granules }
  /// How many granules it has.
  package var granuleCount: Int { plan.granules.count }
  /// Rows of each, but for the last one.
  package var granuleRows: Int { plan.granule }
  /// Whether slices are scored after updates, for the edge to decide with.
  package var isScored: Bool { plan.keys["stop-ssim"]?.isEmpty == false }
  /// Events of the whole scan, with its end.
  package var events: UInt64 { UInt64(plan.projections + plan.flats + plan.darks + 1) }

  /// What a run of some granules is to do, with what is a node's own from `own`.
  package func description(
    of own: ScanDescription, servers: String, _ granules: Range<Int>, outputFolder: String, runFolder: String
  ) -> ScanDescription {
    var scan = own
    scan.input = "\(servers)/\(run)"
    scan.granules = GranuleRange(numbers: granules)
    (scan.outputFolder, scan.runFolder) = (outputFolder, runFolder)
    return scan
  }

  /// Bytes of memory that such a run takes at most, and what this machine has no room for, in a line.
  /// - Throws: where the plan cannot be carried out here at all.
  package func need(_ scan: ScanDescription) throws -> (byteCount: Int, shortfall: String?) {
    let planner = try Planner(plan, input: scan.input, of: scan, topology: .current())
    let room = try RunRoom(planner.plan(runID: .random(), command: []))
    return (room.memory.byteCount, room.shortfalls().first?.description)
  }
}
