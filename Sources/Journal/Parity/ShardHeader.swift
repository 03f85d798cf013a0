internal import CLinux
internal import Rings

/// The first page of a shard: of which records it is a part, and of what size.
///
///       0  magic               u32     4  layout        u16     6  zeros        u16
///       8  runID              16 B
///      24  topic               u32    28  partition     u32
///      32  stride              u64    40  first         u64
///      48  end                 u64    56  number        u64
///      64  segmentByteCount    u64    72  contentByteCount u64
///      80  pieceByteCount      u32    84  data u8   85  parity u8   86  index u8   87  copy u8 (0)
///      88  contentChecksum     u32    92  tableChecksum u32
///      96  zeros                     124  checksum      u32 (CRC32C of bytes 0 … 123), then zeros up to 4096
///
/// The content is the segment's page and its records `first ..< end` as they lie in the file. Piece `j` of stripe `s`
/// is its bytes from (s · data + j) · pieceByteCount on, and zeros behind its end.
struct ShardHeader: Equatable {
  static let byteCount = 4096
  /// "SLSH" as bytes.
  private static let magic: UInt32 = 0x4853_4C53
  private static let layout: UInt16 = 1
  /// The largest piece.
  static let pieceByteCountMax = 256 << 10
  /// The most stripes that a reader takes: what a header says decides how much memory its table gets.
  private static let stripeLimit = 1 << 20
  /// A segment is smaller.
  private static let segmentByteLimit = 1 << 48

  /// What all shards of a set have in common.
  struct Common: Hashable {
    var identity: RingIdentity
    var stride: Int
    /// The sequences of the records.
    var first: UInt64
    var end: UInt64
    /// The segment's.
    var number: UInt64
    /// Bytes of the segment's file.
    var segmentByteCount: Int
    var pieceByteCount: Int
    var data: Int
    var parity: Int
    /// CRC32C of the content.
    var contentChecksum: UInt32

    /// Page and records.
    var contentByteCount: Int { ControlPage.byteCount + Int(end - first) * stride }
    var stripeCount: Int {
      let width = pieceByteCount * data
      return (contentByteCount + width - 1) / width
    }
    /// Bytes of the table of the pieces' checksums.
    var tableByteCount: Int { (4 * stripeCount + 4095) / 4096 * 4096 }
    /// Where the pieces begin in a shard's file.
    var piecesOffset: Int { ShardHeader.byteCount + tableByteCount }
    /// Bytes of a shard's file.
    var shardByteCount: Int { piecesOffset + stripeCount * pieceByteCount }
    var code: ErasureCode { ErasureCode(data: data, parity: parity) }
  }

  var common: Common
  /// Which of the pieces of each stripe it has: data first, then parity.
  var index: Int
  /// CRC32C of the table.
  var tableChecksum: UInt32

  /// The size of pieces for so much content: small where there is little of it.
  static func pieceByteCount(content: Int, data: Int) -> Int {
    min(pieceByteCountMax, ((content + data - 1) / data + 4095) / 4096 * 4096)
  }

  /// Writes the page into 4096 bytes.
  func encode(into bytes: UnsafeMutableRawBufferPointer) {
    precondition(bytes.count == Self.byteCount, "a page of \(bytes.count) bytes")
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
    let shape = UInt64(common.data) | UInt64(common.parity) << 8 | UInt64(index) << 16
    let words: [UInt64] = [
      UInt64(Self.magic) | UInt64(Self.layout) << 32, common.identity.runID.low, common.identity.runID.high,
      UInt64(common.identity.topic) | UInt64(common.identity.partition) << 32, UInt64(common.stride), common.first,
      common.end, common.number, UInt64(common.segmentByteCount), UInt64(common.contentByteCount),
      UInt64(common.pieceByteCount) | shape << 32, UInt64(common.contentChecksum) | UInt64(tableChecksum) << 32,
    ]
    for (index, word) in words.enumerated() {
      bytes.storeBytes(of: word.littleEndian, toByteOffset: 8 * index, as: UInt64.self)
    }
    let checksum = clinux_crc32c(0, bytes.baseAddress, Self.checkedByteCount)
    bytes.storeBytes(of: checksum.littleEndian, toByteOffset: Self.checkedByteCount, as: UInt32.self)
  }

  private static let checkedByteCount = 124

  /// Reads a page; nil if a bit of it is not what was written, it is of another layout, or its sizes contradict each
  /// other.
  init?(_ bytes: UnsafeRawBufferPointer) {
    precondition(bytes.count >= Self.byteCount, "a page of \(bytes.count) bytes")
    func word(_ index: Int) -> UInt64 {
      UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
    }
    let checksum = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: Self.checkedByteCount, as: UInt32.self))
    guard checksum == clinux_crc32c(0, bytes.baseAddress, Self.checkedByteCount),
      word(0) == UInt64(Self.magic) | UInt64(Self.layout) << 32, word(12) == 0, word(13) == 0, word(14) == 0,
      bytes[Self.checkedByteCount - 4..<Self.checkedByteCount].allSatisfy({ $0 == 0 }), word(10) >> 56 == 0,
      bytes[Self.checkedByteCount + 4..<Self.byteCount].allSatisfy({ $0 == 0 })
    else { return nil }
    common = Common(
      identity: RingIdentity(
        runID: RunID(low: word(1), high: word(2)), topic: UInt32(truncatingIfNeeded: word(3)),
        partition: UInt32(word(3) >> 32)),
      stride: Int(clamping: word(4)), first: word(5), end: word(6), number: word(7),
      segmentByteCount: Int(clamping: word(8)), pieceByteCount: Int(UInt32(truncatingIfNeeded: word(10))),
      data: Int(word(10) >> 32 & 0xFF), parity: Int(word(10) >> 40 & 0xFF),
      contentChecksum: UInt32(truncatingIfNeeded: word(11)))
    index = Int(word(10) >> 48 & 0xFF)
    tableChecksum = UInt32(word(11) >> 32)
    guard isPossible, word(9) == UInt64(common.contentByteCount) else { return nil }
  }

  init(common: Common, index: Int, tableChecksum: UInt32) {
    (self.common, self.index, self.tableChecksum) = (common, index, tableChecksum)
    precondition(isPossible, "a shard that nobody would read: \(self)")
  }

  /// Whether all sizes fit together. Until then none of them is computed with.
  private var isPossible: Bool {
    guard ErasureCode.isPossible(data: common.data, parity: common.parity), index < common.data + common.parity,
      common.pieceByteCount > 0, common.pieceByteCount <= Self.pieceByteCountMax, common.pieceByteCount % 4096 == 0,
      common.stride >= EventHeader.pageByteCount, common.stride % EventHeader.pageByteCount == 0,
      common.stride < Self.segmentByteLimit, common.end < TaggedWord.sequenceLimit, common.first < common.end,
      common.segmentByteCount > ControlPage.byteCount, common.segmentByteCount < Self.segmentByteLimit,
      (common.segmentByteCount - ControlPage.byteCount) % common.stride == 0
    else { return false }
    let records = UInt64((common.segmentByteCount - ControlPage.byteCount) / common.stride)
    return common.end - common.first <= records && common.stripeCount <= Self.stripeLimit
  }
}

/// The name of a shard's file: its segment's, one past the last record, and which of the pieces it has, as in
/// `00000000000000000095.segment.00000000000000000127.k3`.
struct ShardName: Hashable {
  let segment: String
  let end: UInt64
  let index: Int
  /// 0, or more where a file of another journal has that name: that one stays as it is, and the shard lies beside it.
  let copy: Int

  init(segment: String, end: UInt64, index: Int, copy: Int = 0) {
    (self.segment, self.end, self.index, self.copy) = (segment, end, index, copy)
  }

  init?(_ name: String) {
    var parts = name.split(separator: ".", omittingEmptySubsequences: false)
    var copy = 0
    if let last = parts.last, let number = Int(last), number > 0, String(number) == last {
      copy = number
      parts.removeLast()
    }
    guard parts.count >= 4, let last = parts.last, last.first == "k", let index = Int(last.dropFirst()),
      (0..<ErasureCode.countMax).contains(index), "k\(index)" == last
    else { return nil }
    let digits = parts[parts.count - 2]
    guard digits.utf8.count == 20, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
      let end = UInt64(digits)
    else { return nil }
    let segment = parts.dropLast(2).joined(separator: ".")
    guard case .segment(let first, _) = FileName(segment), end > first, end < TaggedWord.sequenceLimit else {
      return nil
    }
    self.init(segment: segment, end: end, index: index, copy: copy)
  }

  var text: String {
    let digits = String(end)
    return "\(segment).\(String(repeating: "0", count: 20 - digits.utf8.count))\(digits).k\(index)"
      + (copy == 0 ? "" : ".\(copy)")
  }
}
