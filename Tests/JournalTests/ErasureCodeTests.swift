import Host
import Testing

@testable import Journal

/// Pieces that are made from others.
@Suite struct ErasureCodeTests {
  private static let size = 4096

  /// Memory for pieces of one size, one after the other.
  private final class Pieces {
    let bytes: UnsafeMutableRawBufferPointer
    init(_ count: Int) {
      bytes = .allocate(byteCount: count * ErasureCodeTests.size, alignment: 64)
      bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }
    deinit { bytes.deallocate() }
    subscript(index: Int) -> UnsafeMutableRawBufferPointer {
      UnsafeMutableRawBufferPointer(
        rebasing: bytes[index * ErasureCodeTests.size..<(index + 1) * ErasureCodeTests.size])
    }
    func fill(_ random: inout SplitMix64, _ count: Int) {
      for offset in stride(from: 0, to: count * ErasureCodeTests.size, by: 8) {
        bytes.storeBytes(of: random.next(), toByteOffset: offset, as: UInt64.self)
      }
    }
  }

  /// Every way to choose `count` of `0..<total`.
  static func choices(_ count: Int, of total: Int) -> [[Int]] {
    (0..<(1 << total)).filter { $0.nonzeroBitCount == count }.map { mask in
      (0..<total).filter { mask >> $0 & 1 == 1 }
    }
  }

  @Test(arguments: [(1, 1), (2, 1), (2, 2), (3, 2), (4, 2), (3, 4), (5, 3), (8, 3), (10, 4), (12, 4)])
  func `Whichever pieces are left, all others come from them`(data: Int, parity: Int) throws {
    let code = ErasureCode(data: data, parity: parity), pieces = Pieces(code.count)
    var random = SplitMix64(seed: UInt64(data * 100 + parity))
    pieces.fill(&random, data)
    code.encode((0..<data).map { UnsafeRawBufferPointer(pieces[$0]) }, into: (data..<code.count).map { pieces[$0] })
    let made = Pieces(code.count)
    for present in Self.choices(data, of: code.count) {
      let wanted = (0..<code.count).filter { !present.contains($0) }
      made.bytes.initializeMemory(as: UInt8.self, repeating: 0xEE)
      code.recovery(of: wanted, from: present).apply(
        present.map { UnsafeRawBufferPointer(pieces[$0]) }, into: wanted.map { made[$0] })
      for index in wanted {
        try #require(made[index].elementsEqual(pieces[index]), "piece \(index) of \(data) + \(parity) from \(present)")
      }
    }
  }

  /// A product in the field, bit by bit: x⁸ + x⁴ + x³ + x² + 1 is 0.
  private static func product(_ first: UInt8, _ second: UInt8) -> UInt8 {
    var (left, sum) = (UInt16(first), UInt16(0))
    for bit in 0..<8 {
      if second >> bit & 1 == 1 { sum ^= left }
      left <<= 1
      if left & 0x100 != 0 { left ^= 0x11D }
    }
    return UInt8(sum)
  }

  @Test func `Parity is what the Cauchy matrix says, in arithmetic of its own`() {
    let code = ErasureCode(data: 4, parity: 3), pieces = Pieces(7)
    var random = SplitMix64(seed: 7)
    pieces.fill(&random, 4)
    code.encode((0..<4).map { UnsafeRawBufferPointer(pieces[$0]) }, into: (4..<7).map { pieces[$0] })
    for row in 4..<7 {
      for offset in stride(from: 0, to: Self.size, by: 97) {
        var sum: UInt8 = 0
        for column in 0..<4 {
          let inverse = (1...255).first { Self.product(UInt8($0), UInt8(row ^ column)) == 1 }
          sum ^= Self.product(UInt8(inverse ?? 0), pieces[column][offset])
        }
        #expect(pieces[row][offset] == sum, "row \(row), byte \(offset)")
      }
    }
  }

  @Test func `There is a code of up to 16 pieces, with at least one of each kind`() {
    for (data, parity) in [(1, 1), (15, 1), (1, 15), (8, 8)] {
      #expect(ErasureCode.isPossible(data: data, parity: parity))
    }
    for (data, parity) in [(0, 1), (1, 0), (16, 1), (9, 8), (-1, 3), (.max, .max)] {
      #expect(!ErasureCode.isPossible(data: data, parity: parity))
    }
  }
}
