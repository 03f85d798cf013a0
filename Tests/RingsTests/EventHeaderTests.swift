import Foundation
import Host
import Rings
import Testing

@Suite struct EventHeaderTests {
  @Test func `a header survives its bytes, whatever it says`() throws {
    let seed: UInt64 = 20_260
    var random = SplitMix64(seed: seed)
    for _ in 0..<500 {
      let header = EventHeader.random(using: &random)
      let bytes = header.bytes
      #expect(try bytes.withUnsafeBytes { try EventHeader(validating: $0) } == header, "seed \(seed)")
    }
  }

  @Test func `the fields lie where the layout says`() {
    var random = SplitMix64(seed: 1)
    var header = EventHeader.random(using: &random)
    header.kind = .update
    header.theta = 1.5
    header.metadataByteCount = 0x321
    let bytes = header.bytes
    bytes.withUnsafeBytes { bytes in
      #expect(bytes.load(as: UInt64.self) == 0)
      #expect(bytes.load(fromByteOffset: 14, as: UInt16.self) == EventKind.update.rawValue)
      #expect(bytes.load(fromByteOffset: 16, as: UInt64.self) == header.sequence)
      #expect(bytes.load(fromByteOffset: 24, as: UInt64.self) == header.epoch)
      #expect(bytes[32..<48].map { String(format: "%02x", $0) }.joined() == "\(header.identity.runID)")
      #expect(bytes.load(fromByteOffset: 52, as: UInt32.self) == header.identity.partition)
      #expect(bytes.load(fromByteOffset: 72, as: UInt64.self) == header.chain)
      #expect(bytes.load(fromByteOffset: 88, as: UInt32.self) == header.payloadCRC32C)
      #expect(bytes.load(fromByteOffset: 92, as: UInt32.self) == 0x321)
      #expect(bytes.load(fromByteOffset: 96, as: Double.self) == 1.5)
      #expect(bytes.load(fromByteOffset: 116, as: UInt32.self) == header.columns)
      #expect(bytes.load(fromByteOffset: 120, as: UInt16.self) == header.pixel?.code ?? 0)
    }
  }

  @Test func `every flipped bit outside the stamp is found`() {
    var random = SplitMix64(seed: 2)
    var bytes = EventHeader.random(using: &random).bytes
    for bit in 64..<1024 {
      bytes[bit / 8] ^= 1 << (bit % 8)
      #expect(throws: EventHeader.Fault.self, "bit \(bit)") {
        try bytes.withUnsafeBytes { try EventHeader(validating: $0) }
      }
      bytes[bit / 8] ^= 1 << (bit % 8)
    }
  }

  @Test func `sizes beyond the payload or the page are refused though the checksum is right`() {
    var random = SplitMix64(seed: 3)
    var header = EventHeader.random(using: &random)
    header.metadataByteCount = EventHeader.metadataCapacity + 1
    #expect(throws: EventHeader.Fault.size) { try header.bytes.withUnsafeBytes { try EventHeader(validating: $0) } }
    header.metadataByteCount = 0
    (header.rows, header.columns, header.pixel) = (.max, .max, .float32)
    #expect(throws: EventHeader.Fault.size) { try header.bytes.withUnsafeBytes { try EventHeader(validating: $0) } }
  }

  @Test func `the identity of a run reads back from its digits and nothing else`() throws {
    let id = RunID.random()
    #expect(RunID("\(id)") == id)
    #expect(try JSONDecoder().decode([RunID].self, from: JSONEncoder().encode([id])) == [id])
    #expect(RunID("") == nil && RunID(String(repeating: "g", count: 32)) == nil && RunID("\(id)0") == nil)
    #expect(throws: DecodingError.self) { try JSONDecoder().decode([RunID].self, from: Data("[\"12\"]".utf8)) }
    #expect(RunID("000102030405060708090a0b0c0d0e0f")?.description == "000102030405060708090a0b0c0d0e0f")
  }
}

extension EventHeader {
  fileprivate var bytes: [UInt8] {
    var bytes = [UInt8](repeating: 0xFF, count: EventHeader.byteCount)
    bytes.withUnsafeMutableBytes { encode(into: $0) }
    return bytes
  }

  fileprivate static func random(using random: inout SplitMix64) -> EventHeader {
    var header = EventHeader(
      kind: EventKind.allCases.randomElement(using: &random) ?? .end,
      identity: RingIdentity(runID: .random(), topic: random.next(), partition: random.next()),
      sequence: random.next())
    header.epoch = random.next()
    header.acquiredAt = random.next()
    header.durableThrough = random.next()
    header.chain = random.next()
    header.metadataByteCount = Int.random(in: 0...EventHeader.metadataCapacity, using: &random)
    header.payloadCRC32C = random.next()
    header.theta = Double.random(in: -10...10, using: &random)
    header.projection = random.next()
    header.rows = UInt32.random(in: 0...4000, using: &random)
    header.columns = UInt32.random(in: 0...4000, using: &random)
    header.pixel = ([nil] + PixelType.allCases).randomElement(using: &random) ?? nil
    header.payloadByteCount = Int(header.rows) * Int(header.columns) * 4 + Int.random(in: 0...100, using: &random)
    return header
  }
}
