import Host
import Rings
import Testing

@testable import Fabric

@Suite struct BandMessageTests {
  private let edge = Edge()

  private func encode(
    _ sequence: UInt64, _ granule: Int, metadata: [UInt8]? = nil, interval: UInt16 = 0
  ) throws -> [UInt8] {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: BandMessage.byteCountMax, alignment: 64)
    defer { buffer.deallocate() }
    return [UInt8](
      try BandMessage.encode(
        edge.event(sequence), metadata: metadata, interval: interval, granule: granule, in: edge.granules, epoch: 9,
        into: buffer))
  }

  private func fault(_ bytes: [UInt8], granule: Int, rules: FabricRules = FabricRules()) -> BandMessage.Fault? {
    bytes.withUnsafeBytes { bytes -> BandMessage.Fault? in
      do throws(BandMessage.Fault) {
        _ = try BandMessage(bytes, of: edge.topic, granule: granule, in: edge.granules, owner: nil, rules: rules)
        return nil
      } catch {
        return error
      }
    }
  }

  @Test func `Header, metadata and rows of each granule come back`() throws {
    for granule in 0..<edge.granules.count {
      try encode(5, granule).withUnsafeBytes { bytes in
        let message = try BandMessage(bytes, of: edge.topic, granule: granule, in: edge.granules, owner: nil)
        #expect(message.header == edge.event(5).header)
        #expect([UInt8](message.metadata) == [UInt8](edge.event(5).metadata))
        #expect([UInt8](message.payload) == edge.rows(edge.granules[granule], of: 5))
        #expect(message.band.firstRow == edge.granules[granule].lowerBound && message.band.uplinkEpoch == 9)
        #expect(!message.band.isEnd)
      }
    }
  }

  @Test func `An end has no rows, and may carry more metadata than the edge's`() throws {
    let more = [UInt8](repeating: 3, count: 77)
    try encode(edge.count - 1, 2, metadata: more).withUnsafeBytes { bytes in
      let message = try BandMessage(bytes, of: edge.topic, granule: 2, in: edge.granules, owner: nil)
      #expect(message.band.isEnd && message.payload.isEmpty && [UInt8](message.metadata) == more)
    }
    let longer = try encode(4, 1, metadata: more)
    #expect(fault(longer, granule: 1) == .length, "only an end's may differ")
  }

  @Test func `The bytes are those that are drawn`() throws {
    let bytes = try encode(3, 1)
    #expect(bytes[..<8].allSatisfy { $0 == 0 } && Array(bytes[128..<132]) == Array("SLBD".utf8))
    #expect(bytes.count == 192 + 40 + 4 * 64 * 2 && bytes[132] == 1 && bytes[136] == 4 && bytes[140] == 4)
    #expect(bytes[144] == 1 && bytes[148] == 0 && bytes[172] == 9 && bytes[176..<188].allSatisfy { $0 == 0 })
  }

  @Test(arguments: [0, 1, 2, 258, 65_535] as [UInt16])
  func `How far apart updates are comes back, and is no business of an end`(interval: UInt16) throws {
    let bytes = try encode(3, 1, interval: interval)
    #expect(bytes[176] == UInt8(interval & 0xFF) && bytes[177] == UInt8(interval >> 8))
    try bytes.withUnsafeBytes { bytes in
      let message = try BandMessage(bytes, of: edge.topic, granule: 1, in: edge.granules, owner: nil)
      #expect(message.band.interval == interval)
    }
    let end = try encode(edge.count - 1, 1, interval: interval)
    #expect(fault(end, granule: 1) == (interval == 0 ? nil : .value))
  }

  @Test func `A message of another run, topic or granule is refused`() throws {
    let bytes = try encode(3, 1)
    #expect(fault(bytes, granule: 0) == .identity)
    let other = FabricTopic(run: edge.topic.identity.runID, id: 6, word: "corrected")
    bytes.withUnsafeBytes { bytes in
      #expect(throws: BandMessage.Fault.identity) {
        _ = try BandMessage(bytes, of: other, granule: 1, in: edge.granules, owner: nil)
      }
      #expect(throws: BandMessage.Fault.identity) {
        _ = try BandMessage(bytes, of: edge.topic, granule: 1, in: Granules(rows: 13, each: 4), owner: nil)
      }
    }
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func `No damage crashes, and none passes`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let whole = [try encode(0, 0), try encode(7, 1), try encode(9, 2), try encode(edge.count - 1, 0)]
    let granules = [0, 1, 2, 0]
    var found: [BandMessage.Fault: Int] = [:]
    for number in 0..<34_000 {
      let kind = number % whole.count
      var bytes = whole[kind]
      switch Int.random(in: 0..<5, using: &random) {
      case 0: bytes.removeLast(Int.random(in: 1...bytes.count, using: &random))
      case 1: bytes += (0..<Int.random(in: 1...300, using: &random)).map { UInt8(truncatingIfNeeded: $0 | 1) }
      case 2: bytes = bytes.map { _ in UInt8.random(in: 0...255, using: &random) }
      case 3:
        // A field of four bytes with a value that is likely to be taken for something.
        let place = Int.random(in: 2..<48, using: &random) * 4
        let value: UInt32 = [0, 1, .max, 1 << 31, 0xFFFF].randomElement(using: &random)!
        withUnsafeBytes(of: value) { bytes.replaceSubrange(place..<place + 4, with: $0) }
      default:
        let place = Int.random(in: 8..<bytes.count, using: &random)
        bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      }
      if bytes == whole[kind] { continue }
      let fault = fault(bytes, granule: granules[kind])
      #expect(fault != nil, "seed \(seed), message \(number)")
      if let fault { found[fault, default: 0] += 1 }
    }
    #expect(found.count >= 3, "\(found)")
  }

  @Test func `Without the check of rule F5 damaged pixels pass`() throws {
    var bytes = try encode(4, 0)
    bytes[bytes.count - 3] ^= 0x10
    var rules = FabricRules()
    #expect(fault(bytes, granule: 0, rules: rules) == .checksum)
    rules.checksBands = false
    #expect(fault(bytes, granule: 0, rules: rules) == nil)
  }
}
