package import Fabric
import Host
package import Rings
import Stages

/// The run on a fabric whose images are the input of a node, as `input` names it: `nats://host:4222/RUN`.
package struct FabricInput: Equatable, Sendable, CustomStringConvertible {
  /// The servers, without a run.
  package let servers: String
  /// The run at the edge; nil for the newest one that has a plan there.
  package let run: RunID?

  private static let newest = "latest"
  private static let schemes = ["nats://", "tls://"]

  /// Whether a text is meant as one.
  package static func isMeant(by input: String) -> Bool { schemes.contains { input.hasPrefix($0) } }

  /// Reads servers and the run behind them.
  package init(_ input: String) throws(ScanFailure) {
    guard let scheme = Self.schemes.first(where: { input.hasPrefix($0) }) else {
      preconditionFailure("\(input) is no address of a fabric")
    }
    let rest = input.dropFirst(scheme.count)
    let parts = rest.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, parts[1] == Self.newest || RunID(parts[1]) != nil else {
      throw ScanFailure(
        .usage,
        "\(input) names no run: add the 32 digits that slipring status of the edge's run prints, or "
          + "\(Self.newest), as in \(scheme)host:4222/\(Self.newest)")
    }
    servers = scheme + parts[0]
    run = RunID(parts[1])
    do throws(FabricError) { _ = try FabricAddress(servers) } catch { throw ScanFailure(error) }
  }

  /// As `input` has it.
  package var description: String { "\(servers)/\(run?.description ?? Self.newest)" }
}

/// Granules, one behind the other.
package struct GranuleRange: Equatable, Sendable {
  /// Their numbers, from 0.
  package let numbers: Range<Int>
}

extension GranuleRange: ScanValue {
  /// For people.
  package static var form: String { "FIRST:END, as 0:2 for granules 0 and 1" }
  /// Two numbers and a colon.
  package init?(scanText: String) {
    guard let numbers = Range(scanText: scanText) else { return nil }
    self.numbers = numbers
  }
  /// As it is written on the command line.
  package var scanText: String { numbers.scanText }
}

/// Rows that the edge reconstructs itself where nodes do as well.
package enum LocalRows: Equatable, Sendable {
  /// All of them.
  case all
  /// None for the result: the slice in the middle alone, for people and scores, which is not written.
  case nothing
  /// Those with these numbers, which are those of their slices.
  case slices(Range<Int>)
}

extension LocalRows: ScanValue {
  /// For people.
  package static var form: String { "all, none, or FIRST:END by the numbers of slices, as 0:64" }
  /// `all`, `none`, or two numbers and a colon.
  package init?(scanText: String) {
    switch scanText {
    case "all": self = .all
    case "none": self = .nothing
    default:
      guard let rows = Range(scanText: scanText) else { return nil }
      self = .slices(rows)
    }
  }
  /// As it is written on the command line.
  package var scanText: String {
    switch self {
    case .all: "all"
    case .nothing: "none"
    case .slices(let rows): rows.scanText
    }
  }
}

/// How parts of nodes become one volume at the edge.
package enum Gathering: String, CaseIterable, Sendable {
  /// A file that refers to those of the nodes.
  case links
  /// A file with all voxels, which nodes send back over the fabric.
  case edge
  /// Not at all.
  case none
}

extension Gathering: ScanValue {}

extension UplinkPolicy: ScanValue {}

extension ScanKey {
  /// Seconds that nobody lives to see the end of.
  package static let edgePatienceMax = 1e9

  /// Several machines for one scan.
  static let fabric = [
    ScanKey(
      .fabric, "fabric", \.fabric,
      """
      The NATS servers (JetStream) that hand the images, cut by rows, to nodes: nats://HOST:PORT, several with commas \
      between them, or tls://.
      """,
      unset: "this machine does everything"),
    ScanKey(
      .fabric, "granule", \.granule, "Rows that are handed out together, to one node.",
      unset: "16, more where the rotation axis is tilted", .within(1...1024)),
    ScanKey(
      .fabric, "uplink", \.uplink,
      """
      How images go up: as they are, compressed where that makes them smaller, or compressed only while the link does \
      not keep up and a core idles. What a slow link cannot take waits in the journal.
      """),
    ScanKey(
      .fabric, "uplink-preview", \.uplinkPreview,
      """
      Show the newest projections in fewer pixels on the fabric, with a tenth of the link at most; slipring preview \
      reads them.
      """),
    ScanKey(
      .fabric, "nodes", \.nodes,
      "Machines that make the slices: the run stays until each granule has its part, and puts them together.",
      unset: "nobody is waited for", .within(1...1024)),
    ScanKey(
      .fabric, "local-rows", \.localRows,
      "Rows that this machine reconstructs itself, with fabric; with none only the slice in the middle, to look at.",
      unset: "all, with nodes none"),
    ScanKey(
      .fabric, "gather", \.gather,
      """
      Whether the parts of nodes become one volume: by links to their files, which this machine has to reach; at the \
      edge, in one file, to which nodes send all voxels over the fabric; or none.
      """
    ),
    ScanKey(
      .fabric, "parts-patience", \.partsPatience,
      "Seconds that the run waits for parts, after the scan is on the servers, without a sign of a node.",
      .within(1...604_800, "seconds")),
    ScanKey(
      .fabric, "granules", \.granules,
      "Of an input that is a run on a fabric: the granules that this node reconstructs.", unset: "all of them"),
    ScanKey(
      .fabric, "node-name", \.nodeName,
      "Of an input that is a run on a fabric: the name under which this node tells what it has made.",
      unset: "the machine's", .needed("the name of a node")),
    ScanKey(
      .fabric, "edge-patience", \.edgePatience,
      "Of an input that is a run on a fabric: seconds that it waits for images of an edge that is away before it ends.",
      .within(0...edgePatienceMax, "seconds")),
    ScanKey(
      .fabric, "fabric-credentials", \.fabricCredentials, "A file with the secret key (nkey) that the servers ask for.",
      unset: "none", .needed("the path of a file")),
    ScanKey(
      .fabric, "fabric-authority", \.fabricAuthority,
      "A file with the certificates that those of the servers are signed by.",
      unset: "those of the system", .needed("the path of a file")),
  ]
}

extension ScanDescription {
  /// What contradicts what where a scan has several machines.
  static let fabricRules: [@Sendable (ScanDescription) -> String?] = [
    { $0.fabricAddressProblem }, { $0.strayFabricProblem }, { $0.fabricAuthorityProblem }, { $0.wholeVolumeProblem },
    { $0.edgeProblem },
  ]

  /// The run on a fabric that the input names; nil for any other input, and one that cannot be read.
  var fabricInput: FabricInput? {
    if case .fabric(let input)? = try? ScanSource(input) { input } else { nil }
  }

  /// The servers as they are reached, with the files that are named for them; nil where the scan has none.
  package func fabricAddress() throws(FabricError) -> FabricAddress? {
    guard let servers = fabric ?? fabricInput?.servers else { return nil }
    var address = try FabricAddress(servers)
    (address.credentials, address.authority) = (fabricCredentials, fabricAuthority)
    return address
  }

  private var fabricAddressProblem: String? {
    guard let fabric else { return nil }
    if fabricInput != nil {
      return "--fabric \(fabric) hands images to nodes, and \(input) makes this run a node: leave it out"
    }
    // Not with what was given, in which there may be a password.
    do throws(FabricError) { _ = try FabricAddress(fabric) } catch { return "--fabric: \(error)" }
    return nil
  }

  /// Options of one end that are given to the other, or to neither.
  private var strayFabricProblem: String? {
    if fabric == nil {
      if let granule { return "--granule \(granule) goes with --fabric, which hands out rows" }
      if let localRows {
        return "--local-rows \(localRows.scanText) goes with --fabric, which has nodes for the others"
      }
      if gather == .edge { return "--gather edge goes with --fabric, over which nodes send their slices back" }
      if uplink != .keep { return "--uplink \(uplink.rawValue) goes with --fabric, to which images go up" }
      if uplinkPreview { return "--uplink-preview goes with --fabric, on which projections are shown" }
      if let nodes { return "--nodes \(nodes) goes with --fabric, from which they have their images" }
    }
    if fabricInput != nil, let nodeName, !FabricNames.isNode(nodeName) {
      return "--node-name \(nodeName) is no name of a node: letters, digits and -, at most 64"
    }
    guard fabricInput == nil else { return nil }
    if let granules {
      return "--granules \(granules.scanText) goes with an input on a fabric, as nats://host:4222/latest"
    }
    if let nodeName { return "--node-name \(nodeName) goes with an input on a fabric, as nats://host:4222/latest" }
    if edgePatience != Self.standard.edgePatience {
      return "--edge-patience \(edgePatience.scanText) goes with an input on a fabric, as nats://host:4222/latest"
    }
    guard fabric == nil else { return nil }
    if fabricCredentials != nil { return "--fabric-credentials goes with --fabric, or with an input on a fabric" }
    return fabricAuthority == nil ? nil : "--fabric-authority goes with --fabric, or with an input on a fabric"
  }

  /// Certificates that nobody would look at.
  private var fabricAuthorityProblem: String? {
    guard fabricAuthority != nil, let address = try? fabricAddress() else { return nil }
    return address.authorityProblem.map { "--fabric-authority: \($0)" }
  }

  /// What needs slices beside a node's own.
  private var wholeVolumeProblem: String? {
    guard fabric != nil else { return nil }
    if tvDimensions == 3 {
      return "--tv-dimensions 3 and --fabric exclude each other: it penalises slices with their neighbours, which "
        + "another node has"
    }
    if denoise != .none {
      return "--denoise \(denoise.scanText) and --fabric exclude each other: it looks at the whole volume, of which "
        + "nodes have parts; denoise the finished parts"
    }
    return volumeEvery.map {
      "--volume-every \($0.scanText) and --fabric exclude each other: a series makes a run for each volume, and nodes "
        + "read one run"
    }
  }

  /// The rows that an edge makes itself.
  var rowsHere: LocalRows { localRows ?? (nodes == nil ? .all : .nothing) }

  /// What an edge has to know or keep for its nodes.
  private var edgeProblem: String? {
    guard fabric != nil else { return nil }
    if nodes != nil, rowsHere == .all {
      return "--nodes and --local-rows all exclude each other: this machine makes everything, and nodes are not awaited"
    }
    if durability == .memory {
      return "--durability memory and --fabric exclude each other: what the fabric loses is read from the journal again"
    }
    if isLive, rotationAxis == .automatic {
      return "--fabric needs --rotation-axis PIXELS for \(input): nodes begin before an axis can be found in its images"
    }
    return nil
  }
}
