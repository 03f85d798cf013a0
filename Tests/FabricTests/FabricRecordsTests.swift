import Host
import Rings
import RunModel
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

  private var scored: LeaseRecord {
    var lease = lease
    lease.score = GranuleScore(
      run: RunID(low: 1, high: 2), granule: 3, rows: 48..<64,
      SliceScore(
        update: 40, projections: 41, against: 17, similarity: 0.953, streak: 2, black: -0.01, white: 0.25))
    return lease
  }

  @Test func `A damaged score is a number, or refused, and never a crash`() throws {
    #expect(try LeaseRecord(decoding: scored.encoded(), what: "x") == scored)
    // Other versions read it as well.
    let words =
      #""score":{"against":17,"black":-0.01,"firstRow":48,"granule":3,"isSettled":true,"projections":41,"rows":16,"#
      + #""run":"01000000000000000200000000000000","similarity":0.953,"streak":2,"update":40,"white":0.25}"#
    #expect(text(scored).contains(words), "\(text(scored))")
    let seed: UInt64 = 20_261_201, whole = scored.encoded()
    var (random, refused) = (SplitMix64(seed: seed), 0)
    for _ in 0..<20_000 {
      var bytes = whole
      for _ in 0...Int.random(in: 0...3, using: &random) {
        bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0x20...0x7E, using: &random)
      }
      do throws(FabricError) {
        guard let score = try LeaseRecord(decoding: bytes, what: "x").score?.value else { continue }
        #expect(score.black < score.white && score.similarity.map { (0...1.001).contains($0) } ?? true, "seed \(seed)")
        #expect([score.update, score.projections, score.streak].allSatisfy { $0 >= 0 }, "seed \(seed)")
      } catch { refused += 1 }
    }
    #expect(refused > 5000, "\(refused)")
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
    refuses(scored, #""black":-0.01"#, #""black":0.25"#)
    refuses(scored, #""black":-0.01"#, #""black":-1e999"#)
    refuses(scored, #""similarity":0.953"#, #""similarity":1.01"#)
    refuses(scored, #""similarity":0.953"#, #""similarity":-0.1"#)
    refuses(scored, #""streak":2"#, #""streak":-2"#)
    refuses(scored, #""update":40"#, #""update":4000000000"#)
    refuses(scored, #""granule":3"#, #""granule":"3""#)
    refuses(scored, "0000000000000002", "000000000000002")
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
