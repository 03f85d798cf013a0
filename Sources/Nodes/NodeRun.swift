import Fabric
import Glibc
import Host
import Run
import ScanPlan

/// A run at an edge, as a node sees it.
final class NodeRun {
  let scan: FabricScan
  /// Bucket with its plan and parts, and that with its leases.
  let store: FabricStore
  let leases: FabricStore
  /// Text that sorts by the time of its plan.
  let written: String
  /// Everything of it lies here.
  let folder: String
  /// Whether its edge was seen to be there: nobody waits for the slices of one that was over before.
  var isServed = false
  /// When its edge was last seen to be there, and whether what was begun waits for it to come back.
  var edgeSeen = ContinuousClock.now
  var isAside = false
  /// Attempts of this node that failed.
  var failures = 0
  /// Nothing of it is begun before.
  var notBefore = ContinuousClock.now
  /// When it is looked at again.
  var lookDue = ContinuousClock.now
  /// Whether people know that there is no room for it.
  var isRoomTold = false

  /// After so many failures a person has to look.
  static let failuresMax = 3

  init(
    _ scan: FabricScan, written: String, _ connection: FabricConnection, limit: Duration, folder: String
  ) throws(FabricError) {
    (self.scan, self.written) = (scan, written)
    store = try FabricStore(connection, run: scan.run, limit: limit)
    leases = try FabricStore(connection, leasesOf: scan.run, limit: limit)
    self.folder = "\(folder)/\(scan.run)"
  }

  /// The run in messages.
  var words: String { "run \("\(scan.run)".prefix(8)) (\(scan.name))" }

  /// The granules whose folders here hold what was begun, or what the fabric does not know of.
  func begun() -> [Range<Int>] {
    guard access(folder, F_OK) == 0, let names = try? Folder(folder).names() else { return [] }
    return names.compactMap { Self.granules($0, of: scan.granuleCount) }
      .filter { RunFolder(path: runFolder($0)).isBegun }.sorted { $0.lowerBound < $1.lowerBound }
  }

  /// Where the files of some granules are.
  func outputFolder(_ granules: Range<Int>) -> String {
    "\(folder)/\(granules.lowerBound)-\(granules.upperBound - 1)"
  }

  /// The folder of the run that makes them.
  func runFolder(_ granules: Range<Int>) -> String { outputFolder(granules) + "/run" }

  private static func granules(_ name: String, of count: Int) -> Range<Int>? {
    let ends = name.split(separator: "-", omittingEmptySubsequences: false).compactMap { Int($0) }
    guard ends.count == 2, ends[0] >= 0, ends[0] <= ends[1], ends[1] < count, name == "\(ends[0])-\(ends[1])" else {
      return nil
    }
    return ends[0]..<ends[1] + 1
  }

  /// The granules that keys such as `part.3` name.
  static func granules(_ keys: [String], _ prefix: String) -> Set<Int> {
    Set(keys.compactMap { $0.hasPrefix(prefix) ? Int($0.dropFirst(prefix.count)) : nil })
  }
}
