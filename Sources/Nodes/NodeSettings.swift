import Fabric
import Host
package import ScanPlan

/// What a node is asked to do.
package struct NodeSettings: Sendable {
  /// The servers.
  let address: FabricAddress
  /// Where everything of it lies.
  let folder: String
  /// Its name among all nodes.
  let name: String
  /// The most granules that it has at a time; nil where its cores say.
  let granulesAsked: Int?
  /// Cores that it computes with.
  let cores: [Int]
  /// Bytes of memory that its runs may take.
  let memoryByteCount: Int
  /// How long it finishes what it has once it was asked to end.
  let drainLimit: Duration
  /// How long its runs wait for images of an edge that is away.
  let edgePatience: Duration
  /// How long its runs wait for room on its disk.
  let roomPatience: Duration
  /// What its runs have of their own: files, threads, where the key is.
  let scan: ScanDescription

  /// Memory that is left to others where nobody says how much there is.
  private static let memoryShare = 0.8

  /// Settings of a node that serves the runs on the servers of `scan.fabric`; what is nil follows from the machine.
  /// - Throws: `.usage` for what cannot be.
  package init(
    _ scan: ScanDescription, folder: String, name: String?, granulesMax: Int?, cores: Int?, memoryByteCount: Int?,
    drainLimit: Duration, edgePatience: Duration, roomPatience: Duration
  ) throws {
    guard let servers = scan.fabric else { preconditionFailure("a node without servers") }
    var address = try FabricAddress(servers)
    (address.credentials, address.authority) = (
      scan.fabricCredentials.map(absolutePath), scan.fabricAuthority.map(absolutePath)
    )
    let name = name ?? FabricNames.node(Machine.hostName)
    guard FabricNames.isNode(name) else {
      throw ScanFailure(.usage, "--name \(name) is no name of a node: letters, digits and -, at most 64")
    }
    let allowed = try Affinity.current()
    guard cores.map({ (1...allowed.count).contains($0) }) ?? true else {
      throw ScanFailure(.usage, "--cores \(cores ?? 0): this process may use \(counted(allowed.count, "core"))")
    }
    guard granulesMax ?? 1 > 0 else {
      throw ScanFailure(.usage, "--most-granules \(granulesMax ?? 0) is none: give 1 or more")
    }
    (self.address, self.name) = (address, name)
    (self.drainLimit, self.edgePatience, self.roomPatience) = (drainLimit, edgePatience, roomPatience)
    self.folder = absolutePath(folder)
    self.cores = Array(allowed.prefix(cores ?? allowed.count))
    granulesAsked = granulesMax
    self.memoryByteCount = memoryByteCount ?? Machine.memoryAvailable.map { Int(Double($0) * Self.memoryShare) } ?? .max
    var scan = scan
    scan.fabric = nil
    scan.input = "\(address)/latest"
    (scan.fabricCredentials, scan.fabricAuthority) = (address.credentials, address.authority)
    scan.nodeName = name
    // It ends what waits for too long itself, and takes it up again.
    scan.edgePatience = ScanKey.edgePatienceMax
    scan.outputFolder = self.folder
    try scan.validate()
    self.scan = scan
  }
  /// The most granules of so many rows that it has at a time.
  func granulesMax(rows: Int) -> Int { granulesAsked ?? GranuleChoice.most(rows: rows, cores: cores.count) }

  /// The same in words.
  var most: String {
    granulesAsked.map { counted($0, "granule") } ?? "\(GranuleChoice.rowsOfCore * cores.count) rows"
  }
}
