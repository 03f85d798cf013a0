import ArgumentParser
package import ScanPlan
package import Stages

/// Several machines for one scan.
struct FabricOptions: ParsableArguments {
  @Option(help: .key("fabric", "nats://host:port")) var fabric: String?
  @Option(help: .key("granule", "rows")) var granule: Int?
  @Option(help: .key("uplink", "keep|compress|auto")) var uplink = ScanDescription.standard.uplink
  @Flag(help: .key("uplink-preview")) var uplinkPreview = false
  @Option(help: .key("nodes", "count")) var nodes: Int?
  @Option(help: .key("local-rows", "all|none|first:end")) var localRows: LocalRows?
  @Option(help: .key("gather", "links|edge|none")) var gather = ScanDescription.standard.gather
  @Option(help: .key("parts-patience", "seconds")) var partsPatience = ScanDescription.standard.partsPatience
  @Option(help: .key("granules", "first:end")) var granules: GranuleRange?
  @Option(help: .key("node-name", "name")) var nodeName: String?
  @Option(help: .key("edge-patience", "seconds")) var edgePatience = ScanDescription.standard.edgePatience
  @Option(help: .key("fabric-credentials", "file")) var fabricCredentials: String?
  @Option(help: .key("fabric-authority", "file")) var fabricAuthority: String?

  /// Takes the options over.
  func apply(to scan: inout ScanDescription) {
    (scan.fabric, scan.granule, scan.localRows, scan.granules) = (fabric, granule, localRows, granules)
    (scan.uplink, scan.nodeName, scan.edgePatience) = (uplink, nodeName, edgePatience)
    scan.uplinkPreview = uplinkPreview
    (scan.nodes, scan.gather, scan.partsPatience) = (nodes, gather, partsPatience)
    (scan.fabricCredentials, scan.fabricAuthority) = (fabricCredentials, fabricAuthority)
  }
}

extension GranuleRange: ExpressibleByArgument {
  /// From two numbers.
  package init?(argument: String) { self.init(scanText: argument) }
  /// For the help.
  package var defaultValueDescription: String { scanText }
}

extension Gathering: ExpressibleByArgument {}

extension UplinkPolicy: ExpressibleByArgument {}

extension LocalRows: ExpressibleByArgument {
  /// From `all`, `none` or two numbers.
  package init?(argument: String) { self.init(scanText: argument) }
  /// For the help.
  package var defaultValueDescription: String { scanText }
}
