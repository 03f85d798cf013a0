internal import CLinux
internal import Rings

/// A piece of a slice on its way to the edge.
///
/// ```
///   0  magic "SLSC" u32, layout u16, zero u16       8  run, 16 bytes
///  24  row u32, columns u32     32  piece u32, pieces u32
///  40  bytesCRC32C u32, headerCRC32C u32 (of 0 … 43)
///  48  bytes of the slice from piece × 512 KiB on: columns × columns float32, little-endian
/// ```
struct SlicePiece: Equatable {
  /// Bytes before those of the slice.
  static let headByteCount = 48
  /// Bytes of a slice in each piece but the last.
  static let byteCount = 512 << 10
  private static let (magic, layout): (UInt32, UInt16) = (0x4353_4C53, 1)

  /// Why bytes are no piece.
  enum Fault: Error, Equatable { case length, value, identity, checksum }

  /// Pixels of a slice in each direction.
  let columns: Int
  /// Which piece.
  let number: Int
  /// Where its bytes are in the slice.
  var range: Range<Int> { Self.range(number, columns: columns) }

  /// Bytes of a slice.
  static func sliceByteCount(columns: Int) -> Int { columns * columns * 4 }

  /// Pieces of a slice.
  static func count(columns: Int) -> Int { (sliceByteCount(columns: columns) + byteCount - 1) / byteCount }

  private static func range(_ number: Int, columns: Int) -> Range<Int> {
    number * byteCount..<min((number + 1) * byteCount, sliceByteCount(columns: columns))
  }

  /// The message of a piece of a slice.
  static func encode(
    _ slice: UnsafeRawBufferPointer, _ number: Int, row: Int, columns: Int, run: RunID
  ) -> [UInt8] {
    precondition(slice.count == sliceByteCount(columns: columns) && number < count(columns: columns))
    let bytes = UnsafeRawBufferPointer(rebasing: slice[range(number, columns: columns)])
    return [UInt8](unsafeUninitializedCapacity: headByteCount + bytes.count) { buffer, count in
      let message = UnsafeMutableRawBufferPointer(buffer)
      func store(_ value: Int, at offset: Int) {
        message.storeBytes(of: UInt32(value).littleEndian, toByteOffset: offset, as: UInt32.self)
      }
      store(Int(magic), at: 0)
      store(Int(layout), at: 4)
      message.storeBytes(of: run.low.littleEndian, toByteOffset: 8, as: UInt64.self)
      message.storeBytes(of: run.high.littleEndian, toByteOffset: 16, as: UInt64.self)
      store(row, at: 24)
      store(columns, at: 28)
      store(number, at: 32)
      store(Self.count(columns: columns), at: 36)
      store(Int(clinux_crc32c(0, bytes.baseAddress, bytes.count)), at: 40)
      store(Int(clinux_crc32c(0, message.baseAddress, 44)), at: 44)
      UnsafeMutableRawBufferPointer(rebasing: message[headByteCount...]).copyMemory(from: bytes)
      count = headByteCount + bytes.count
    }
  }

  /// Reads a piece of a slice of `row`, whose bytes are behind `headByteCount`.
  init(_ message: UnsafeRawBufferPointer, row: Int, run: RunID) throws(Fault) {
    guard (Self.headByteCount + 1...Self.headByteCount + Self.byteCount).contains(message.count) else { throw .length }
    func u32(_ offset: Int) -> Int {
      Int(UInt32(littleEndian: message.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
    }
    func u64(_ offset: Int) -> UInt64 {
      UInt64(littleEndian: message.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    guard Int(clinux_crc32c(0, message.baseAddress, 44)) == u32(44) else { throw .checksum }
    guard u32(0) == Int(Self.magic), u32(4) == Int(Self.layout) else { throw .value }
    guard u64(8) == run.low, u64(16) == run.high, u32(24) == row else { throw .identity }
    (columns, number) = (u32(28), u32(32))
    guard (1...Self.columnsMax).contains(columns), u32(36) == Self.count(columns: columns), number < u32(36) else {
      throw .value
    }
    let bytes = UnsafeRawBufferPointer(rebasing: message[Self.headByteCount...])
    guard bytes.count == range.count else { throw .length }
    guard Int(clinux_crc32c(0, bytes.baseAddress, bytes.count)) == u32(40) else { throw .checksum }
  }

  /// Columns of a slice at most: more than are reconstructed.
  private static let columnsMax = 1 << 16
}
