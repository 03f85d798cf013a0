import Testing

@testable import Fabric

struct FabricRecordsTests {
  private let node = NodeRecord(
    node: "beam-3", version: "1.0", cores: 64, memory: 1 << 38, granulesMax: 16, granules: 3, since: 1_700_000_000)
  private let lease = LeaseRecord(node: "beam-3", epoch: 7, state: .sweeping, cursor: 12, of: 61)
  private let part = PartRecord(
    granule: 3, node: "beam-3", rows: 48..<64, sha256: String(repeating: "0f", count: 32), format: .tiff,
    files: ["/data/out/recon_00048.tiff"], projections: 60, lost: 1, restarts: 0)

  private func text(_ record: some FabricRecord) -> String { String(decoding: record.encoded(), as: UTF8.self) }

  @Test func `Records are read as they were written, with fields that are not known`() throws {
    #expect(try NodeRecord(decoding: node.encoded(), what: "x") == node)
    #expect(try LeaseRecord(decoding: lease.encoded(), what: "x") == lease)
    #expect(try PartRecord(decoding: part.encoded(), what: "x") == part)
    let more = text(lease).replacing("{", with: #"{"later":[1,{}],"#, maxReplacements: 1)
    #expect(try LeaseRecord(decoding: Array(more.utf8), what: "x") == lease)
    #expect(
      text(lease) == #"{"cursor":12,"epoch":7,"layout":1,"node":"beam-3","of":61,"state":"sweeping"}"#)
  }

  @Test func `What is none is refused`() {
    func refuses<Record: FabricRecord>(_ record: Record, _ old: String, _ new: String) {
      let changed = text(record).replacing(old, with: new)
      #expect(changed != text(record))
      #expect(throws: FabricError.self, "\(changed)") { try Record(decoding: Array(changed.utf8), what: "x") }
    }
    refuses(node, "beam-3", "beam.3")
    refuses(node, "beam-3", "")
    refuses(node, "beam-3", String(repeating: "a", count: 65))
    refuses(node, #""layout":1"#, #""layout":2"#)
    refuses(node, #""cores":64"#, #""cores":0"#)
    refuses(node, #""granules":3"#, #""granules":-1"#)
    refuses(node, #""version":"1.0""#, #""version":"1\u202e0""#)
    refuses(lease, "sweeping", "dancing")
    refuses(lease, #""cursor":12"#, #""cursor":-1"#)
    refuses(part, "0f0f", "0F0F")
    refuses(part, "0f0f", "0f")
    refuses(part, "/data", "data")
    refuses(part, "/data", #"/da\nta"#)
    refuses(part, #""rows":16"#, #""rows":0"#)
    refuses(part, #""firstRow":48"#, #""firstRow":1e300"#)
    #expect(throws: FabricError.self) {
      try PartRecord(decoding: [UInt8](repeating: 0x20, count: 1 << 20) + part.encoded(), what: "x")
    }
    #expect(throws: FabricError.self) { try PartRecord(decoding: [], what: "x") }
  }
}
