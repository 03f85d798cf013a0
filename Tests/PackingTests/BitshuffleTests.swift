import Host
import Testing

@testable import Packing

@Suite struct BitshuffleTests {
  /// Elements of `byteCount` bytes whose low `bits` are random.
  private func image(_ elements: Int, byteCount: Int, bits: Int, seed: UInt64) -> [UInt8] {
    var random = SplitMix64(seed: seed)
    return (0..<elements).flatMap { _ in
      let value = UInt64.random(in: 0..<1 << UInt64(bits), using: &random)
      return (0..<byteCount).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
    }
  }

  private func packed(_ image: [UInt8], elementByteCount: Int, room: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0xAA, count: room)
    let count = image.withUnsafeBytes { image in
      bytes.withUnsafeMutableBytes { shuffleImage(image, elementByteCount: elementByteCount, into: $0) }
    }
    return count.map { Array(bytes[..<$0]) }
  }

  private func unpacked(_ bytes: [UInt8], elementByteCount: Int, count: Int) throws -> [UInt8] {
    var image = [UInt8](repeating: 0x55, count: count)
    try bytes.withUnsafeBytes { bytes in
      try image.withUnsafeMutableBytes {
        try unshuffleImage(bytes, hasSizes: false, elementByteCount: elementByteCount, into: $0)
      }
    }
    return image
  }

  @Test(arguments: [1, 2, 4], [0, 1, 7, 8, 9, 63, 1000, 4096, 4097, 20_001])
  func `What is packed comes back, of any size of an element and any number`(byteCount: Int, elements: Int) throws {
    for bits in [1, 5, 8] {
      let image = image(elements, byteCount: byteCount, bits: bits, seed: UInt64(elements * 8 + bits))
      let bytes = try #require(packed(image, elementByteCount: byteCount, room: image.count + 4096))
      #expect(try unpacked(bytes, elementByteCount: byteCount, count: image.count) == image)
    }
  }

  @Test func `Bits lie as the filter of HDF5 lays them`() throws {
    // Element 9 of 16 has its bit 10 alone: byte 1 of plane 10, whose bit 1 it is.
    var image = [UInt8](repeating: 0, count: 32)
    image[19] = 4
    let bytes = try #require(packed(image, elementByteCount: 2, room: 100))
    var planes = [UInt8](repeating: 0, count: 32)
    try bytes[4...].withUnsafeBytes { block in
      try planes.withUnsafeMutableBytes { try decompressBlock(block, into: $0) }
    }
    #expect(bytes[..<4] == [0, 0, 0, UInt8(bytes.count - 4)])
    #expect(planes.indices.filter { planes[$0] != 0 } == [21] && planes[21] == 2)
  }

  @Test func `What has no room is not packed, and nothing behind the room is written`() throws {
    let noise = image(5000, byteCount: 2, bits: 16, seed: 1), counts = image(5000, byteCount: 2, bits: 7, seed: 2)
    #expect(packed(noise, elementByteCount: 2, room: noise.count - 1) == nil)
    let whole = try #require(packed(counts, elementByteCount: 2, room: counts.count))
    #expect(whole.count < counts.count * 6 / 10)
    for room in [0, 3, 4, 5, 100, whole.count / 2, whole.count - 1] {
      var bytes = [UInt8](repeating: 0xAA, count: room + 64)
      let count = counts.withUnsafeBytes { image in
        bytes.withUnsafeMutableBytes {
          shuffleImage(image, elementByteCount: 2, into: UnsafeMutableRawBufferPointer(rebasing: $0[..<room]))
        }
      }
      #expect(count == nil && bytes[room...].allSatisfy { $0 == 0xAA }, "\(room)")
    }
  }

  @Test func `Damage is told or gives other bytes, and nothing outside is touched`() throws {
    let image = image(3000, byteCount: 2, bits: 9, seed: 3)
    let whole = try #require(packed(image, elementByteCount: 2, room: image.count))
    var (random, told) = (SplitMix64(seed: 4), 0)
    for _ in 0..<5000 {
      var bytes = whole
      let place = Int.random(in: 0..<bytes.count, using: &random)
      bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      if Bool.random(using: &random) { bytes.removeLast(Int.random(in: 1...bytes.count, using: &random)) }
      var target = [UInt8](repeating: 0xAA, count: image.count + 64)
      do {
        try bytes.withUnsafeBytes { bytes in
          try target.withUnsafeMutableBytes {
            try unshuffleImage(
              bytes, hasSizes: false, elementByteCount: 2,
              into: UnsafeMutableRawBufferPointer(rebasing: $0[..<image.count]))
          }
        }
      } catch { told += 1 }
      #expect(target[image.count...].allSatisfy { $0 == 0xAA })
    }
    #expect(told > 2000)
  }
}
