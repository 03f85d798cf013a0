import CLinux
import Testing

@Suite struct CRC32CTests {
  // The vectors of RFC 3720 (iSCSI), appendix B.4, and the check value of the CRC catalogues.
  @Test(
    arguments: [
      (Array("123456789".utf8), 0xE306_9283), ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
      ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43), (Array(0..<32), 0x46DD_794E),
      (Array((0..<32).reversed()), 0x113F_DB5C), ([], 0),
    ] as [([UInt8], UInt32)])
  func `the published vectors come out`(bytes: [UInt8], expected: UInt32) {
    #expect(clinux_crc32c(0, bytes, bytes.count) == expected)
    #expect(clinux_crc32c_portable(0, bytes, bytes.count) == expected)
  }

  @Test func `the fast way agrees with the table for every length and alignment around its blocks`() {
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    let bytes = (0..<40_000).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return UInt8(truncatingIfNeeded: state >> 33)
    }
    bytes.withUnsafeBytes { bytes in
      guard let start = bytes.baseAddress else { return }
      let lengths =
        Array(0..<300) + [511, 767, 768, 769, 776, 1535, 1536, 1537, 4095, 12_287, 12_288, 12_289, 24_576, 39_900]
      for count in lengths {
        for offset in [0, 1, 3, 7] {
          #expect(
            clinux_crc32c(7, start + offset, count) == clinux_crc32c_portable(7, start + offset, count),
            "\(count) bytes at \(offset)")
        }
      }
      #expect(clinux_crc32c(clinux_crc32c(0, start, 12_345), start + 12_345, 20_000) == clinux_crc32c(0, start, 32_345))
    }
  }

  @Test func `the checksum keeps up with a detector`() {
    let bytes = [UInt8](repeating: 0x5A, count: 8 << 20)
    let clock = ContinuousClock()
    let best = (0..<5).map { _ in clock.measure { _ = clinux_crc32c(0, bytes, bytes.count) } }.min() ?? .zero
    let seconds = Double(best.components.attoseconds) / 1e18
    #expect(Double(bytes.count) / seconds > 0.5e9)
  }
}
