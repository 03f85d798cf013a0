internal import Foundation

/// What machines of a fabric leave for each other in buckets, as JSON. Anybody who may write there may have made it:
/// `init(decoding:)` believes nothing, and passes over fields that it does not know.
package protocol FabricRecord: Codable, Equatable, Sendable {
  /// The layout of this record; it rises when a field gets another meaning.
  var layout: Int { get }
  /// What is wrong with its values; nil where nothing is.
  var problem: String? { get }
}

extension FabricRecord {
  /// The only layout that this build reads.
  private static var layoutRead: Int { 1 }

  /// The same as JSON.
  package func encoded() -> [UInt8] { JetStream.encode(self) }

  /// Reads a record; `what` names it in messages.
  /// - Throws: `.damaged` where it is none, or another layout's.
  package init(decoding bytes: [UInt8], what: String) throws(FabricError) {
    guard bytes.count <= FabricStore.valueByteCountMax,
      let record = try? JSONDecoder().decode(Self.self, from: Data(bytes))
    else { throw .damaged(what: what, reason: "a value in it is missing, or of another kind") }
    guard record.layout == Self.layoutRead else {
      throw .damaged(what: what, reason: "it has layout \(record.layout), and this slipring reads \(Self.layoutRead)")
    }
    if let problem = record.problem { throw .damaged(what: what, reason: problem) }
    self = record
  }
}

/// A node that lives, as it registers: under its name in the bucket `slipring-nodes`.
package struct NodeRecord: FabricRecord {
  package private(set) var layout = 1
  /// Its name.
  package let node: String
  /// Its program.
  package let version: String
  /// Cores that it computes with.
  package let cores: Int
  /// Bytes of memory that its runs may take.
  let memory: UInt64
  /// The most granules that it takes.
  let granulesMax: Int
  /// Those that it has.
  var granules: Int
  /// When it began: seconds of the Unix era.
  package let since: Double

  /// The values as given.
  package init(
    node: String, version: String, cores: Int, memory: UInt64, granulesMax: Int, granules: Int, since: Double
  ) {
    precondition(FabricNames.isNode(node), "node '\(node)'")
    (self.node, self.version, self.cores, self.memory) = (node, version, cores, memory)
    (self.granulesMax, self.granules, self.since) = (granulesMax, granules, since)
  }

  package var problem: String? {
    guard FabricNames.isNode(node) else { return "its node has no name" }
    guard FabricNames.isPlain(version), (1...FabricNames.countMax).contains(cores),
      (0...FabricNames.countMax).contains(granulesMax), (0...FabricNames.countMax).contains(granules),
      since.isFinite, since >= 0
    else { return "a value in it is out of range" }
    return nil
  }
}

/// A node's right to a granule, while it renews it: under `granule.<g>` in the bucket of the run's leases.
package struct LeaseRecord: FabricRecord {
  /// What a granule waits for, or what is done with it.
  package enum State: String, Codable, Sendable { case waiting, reading, sweeping, writing }

  package private(set) var layout = 1
  /// Who has it.
  package let node: String
  /// The revision of its `create`: a node that takes a granule again has a higher one. 0 in the value of that itself.
  package internal(set) var epoch: UInt64
  /// What is done with it.
  package var state: State
  /// Events that its run has taken.
  package var cursor: UInt64
  /// Events that there are; 0 where nobody knows yet.
  package var of: UInt64
  /// Of an uplink: what all lives of one and the same have in common, and nobody else; nil of a node.
  let holder: String?
  /// What its run saw last of the granule's slices; nil where it compares none, and before the first.
  package var score: GranuleScore?

  /// The values as given, without a score.
  package init(
    node: String, epoch: UInt64 = 0, state: State = .waiting, cursor: UInt64 = 0, of: UInt64 = 0, holder: String? = nil
  ) {
    precondition(FabricNames.isNode(node), "node '\(node)'")
    (self.node, self.epoch, self.state, self.cursor, self.of) = (node, epoch, state, cursor, of)
    self.holder = holder
  }

  package var problem: String? {
    guard FabricNames.isNode(node) else { return "its node has no name" }
    guard holder.map(FabricNames.isPlain) ?? true else { return "its holder is none" }
    return score?.problem
  }
}

/// What a node has made of a granule: under `part.<g>` in the run's bucket. It is created once and never changes.
package struct PartRecord: FabricRecord {
  /// The kind of its files.
  package enum Format: String, Codable, Sendable { case tiff, hdf5, zarr, none }

  package private(set) var layout = 1
  /// Its number.
  package let granule: Int
  /// Who made it.
  package let node: String
  /// Its first row, counted from 0 in the edge's images.
  package let firstRow: Int
  /// Rows of it.
  package let rows: Int
  /// SHA-256 of its slices, in hexadecimal digits: float32, little-endian, in order.
  package let sha256: String
  /// What its files are.
  package let format: Format
  /// Where they are, as the node names them.
  package let files: [String]
  /// Projections that are in it.
  package let projections: Int
  /// Those that are not.
  package let lost: Int
  /// Restarts of the node's stages.
  let restarts: Int

  /// The values as given.
  package init(
    granule: Int, node: String, rows: Range<Int>, sha256: String, format: Format, files: [String], projections: Int,
    lost: Int, restarts: Int
  ) {
    (self.granule, self.node, firstRow, self.rows) = (granule, node, rows.lowerBound, rows.count)
    (self.sha256, self.format, self.files) = (sha256, format, files)
    (self.projections, self.lost, self.restarts) = (projections, lost, restarts)
  }

  /// Files of a part that are named: more would not fit into a value, and their folder is enough to find them.
  package static let filesMax = 64
  private static let pathByteCountMax = 512

  package var problem: String? {
    let counts = [granule, firstRow, projections, lost, restarts]
    guard counts.allSatisfy({ (0...FabricNames.countMax).contains($0) }), (1...65_536).contains(rows) else {
      return "a value in it is out of range"
    }
    guard FabricNames.isNode(node) else { return "its node has no name" }
    guard sha256.utf8.count == 64, sha256.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
    else { return "its checksum is none" }
    guard files.count <= Self.filesMax,
      files.allSatisfy({ $0.utf8.count <= Self.pathByteCountMax && $0.hasPrefix("/") && FabricNames.isPlain($0) })
    else { return "a name of a file in it is none" }
    return nil
  }
}

/// Names of a fabric's records.
package enum FabricNames {
  /// The bucket of nodes that live.
  package static let nodes = "slipring-nodes"
  /// The most of anything that is counted.
  static let countMax = 1 << 31

  /// The key of a granule's lease.
  package static func lease(_ granule: Int) -> String { "granule.\(granule)" }
  /// The key of a granule's part.
  package static func part(_ granule: Int) -> String { "part.\(granule)" }
  /// The key of the uplink's lease.
  package static let uplink = "uplink"

  /// How long a lease and a node's record live without being renewed; they are thrice as often.
  package static let lifetime: Duration = .seconds(6)

  /// A text as a node's name: what cannot stand there becomes a `-`.
  package static func node(_ text: String) -> String {
    let name = text.prefix(64).map { FabricStore.isName(String($0)) ? $0 : "-" }
    return name.isEmpty ? "node" : String(name)
  }

  /// Whether a text may be a node's name: letters, digits and `-`, 64 at most.
  package static func isNode(_ text: String) -> Bool { (1...64).contains(text.utf8.count) && FabricStore.isName(text) }

  /// Whether a text is short and can be printed.
  static func isPlain(_ text: String) -> Bool {
    (1...512).contains(text.utf8.count)
      && text.unicodeScalars.allSatisfy { scalar in
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned: false
        default: true
        }
      }
  }
}
