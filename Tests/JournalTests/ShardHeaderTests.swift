import CLinux
import Host
import Testing

@testable import Journal

/// First pages of shards, as they are and as somebody may have made them.
@Suite struct ShardHeaderTests {
  private static let header = ShardHeader(
    common: ShardHeader.Common(
      identity: testIdentity, stride: 8192, first: 95, end: 127, number: 3, segmentByteCount: 4096 + 40 * 8192,
      pieceByteCount: 65536, data: 4, parity: 2, contentChecksum: 0x1234_5678),
    index: 5, tableChecksum: 0x9ABC_DEF0)

  private func bytes() -> [UInt8] {
    let memory = ReadBuffer(4096)
    Self.header.encode(into: memory.bytes)
    return Array(memory.bytes)
  }

  private func read(_ bytes: [UInt8]) -> ShardHeader? { bytes.withUnsafeBytes { ShardHeader($0) } }

  /// With a checksum that is right.
  private func sealed(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    let sum = bytes.withUnsafeBytes { clinux_crc32c(0, $0.baseAddress, 124) }
    withUnsafeBytes(of: sum.littleEndian) { bytes.replaceSubrange(124..<128, with: $0) }
    return bytes
  }

  @Test func `A page reads back, and with any bit of it changed it does not`() {
    let bytes = bytes()
    #expect(read(bytes) == Self.header)
    for bit in 0..<1024 {
      var changed = bytes
      changed[bit / 8] ^= 1 << (bit % 8)
      #expect(read(changed) == nil, "bit \(bit)")
    }
  }

  @Test func `Sizes that fit nothing are refused, and none is computed with`() {
    let bytes = bytes()
    let offsets = [4, 32, 40, 48, 64, 72, 80, 84, 85, 86, 87, 96, 120]
    let values: [UInt64] = [0, 1, 4095, 4097, 1 << 31, 1 << 48, 1 << 62, .max, .max - 4095, UInt64(Int.max)]
    var refused = 0
    for offset in offsets {
      for value in values {
        var changed = bytes
        let size = offset == 80 ? 4 : offset >= 84 && offset < 88 ? 1 : offset == 4 ? 2 : offset == 120 ? 4 : 8
        withUnsafeBytes(of: value.littleEndian) {
          changed.replaceSubrange(offset..<offset + size, with: $0.prefix(size))
        }
        guard changed != bytes else { continue }
        if let header = read(sealed(changed)) {
          // What is left is possible in itself; file sizes and names are compared elsewhere.
          #expect(header.common.shardByteCount > 0 && header.index < header.common.data + header.common.parity)
        } else {
          refused += 1
        }
      }
    }
    #expect(refused > 110, "\(refused) were refused")
    var random = SplitMix64(seed: 17)
    for _ in 0..<20_000 {
      var changed = bytes
      for _ in 0..<4 { changed[Int(random.next() % 124)] = UInt8(truncatingIfNeeded: random.next()) }
      if let header = read(sealed(changed)) { #expect(header.common.shardByteCount > 0) }
    }
  }

  @Test func `Content and pieces take the bytes that the file has`() {
    let common = Self.header.common
    #expect(common.contentByteCount == 4096 + 32 * 8192)
    #expect(common.stripeCount == 2 && common.piecesOffset == 8192 && common.shardByteCount == 8192 + 2 * 65536)
    #expect(ShardHeader.pieceByteCount(content: 4096 + 8192, data: 4) == 4096)
    #expect(ShardHeader.pieceByteCount(content: 1 << 30, data: 4) == ShardHeader.pieceByteCountMax)
  }

  @Test func `Names read back, and others are none`() {
    let name = ShardName(segment: "00000000000000000095.2.segment", end: 127, index: 13)
    #expect(name.text == "00000000000000000095.2.segment.00000000000000000127.k13" && ShardName(name.text) == name)
    let beside = ShardName(segment: "00000000000000000095.segment", end: 127, index: 3, copy: 2)
    #expect(beside.text == "00000000000000000095.segment.00000000000000000127.k3.2")
    #expect(ShardName(beside.text) == beside)
    for text in [
      "00000000000000000095.segment.00000000000000000127.k3.0",
      "00000000000000000095.segment.00000000000000000127.k3.+1",
      "00000000000000000095.segment", "00000000000000000095.segment.00000000000000000127.k16",
      "00000000000000000095.segment.00000000000000000127.k03", "00000000000000000095.segment.127.k3",
      "00000000000000000095.segment.00000000000000000095.k3", "95.segment.00000000000000000127.k3",
      "00000000000000000095.segment.00000000000000000127.k3.new",
      "00000000000000000095.segment.99999999999999999999.k3",
      "through", "", ".k1", "....k1",
    ] { #expect(ShardName(text) == nil, "\(text)") }
  }
}
