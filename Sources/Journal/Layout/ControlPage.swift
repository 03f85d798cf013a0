internal import Rings

/// A page that says something about records: the first of a segment, or all of a small file.
///
///       0  zeros               u64
///       8  magic               u32    12  layout        u16    14  kind         u16
///      16  runID              16 B
///      32  topic               u32    36  partition     u32
///      40  stride              u64    48  first         u64
///      56  end                 u64    64  chain         u64
///      72  epoch               u64    80  number        u64
///      88  durableThrough      u64    96  zeros
///     124  checksum            u32 (CRC32C of bytes 8 … 123), then zeros up to 4096
struct ControlPage: Equatable {
  static let byteCount = 4096
  /// "SLJP" as bytes.
  private static let magic: UInt32 = 0x504A_4C53
  private static let layout: UInt16 = 1

  enum PageKind: UInt16, CaseIterable {
    /// A segment's header. `first`: sequence of its first record. `end`: bytes of the file. `chain`: of the first
    /// record.
    case segment = 1
    /// What retention removed. `first`: the lowest sequence that is kept. `chain`: of that record.
    case retired
    /// Records that were lost and given up. `first ..< end`: their sequences. `chain`: of record `end`.
    case loss
    /// This copy of the journal went on without the other one, which lacks something since; no sequences.
    case alone
    /// How far the journal was when a writer closed it. `durableThrough`: the end of its records.
    case through
  }

  var kind: PageKind
  var identity: RingIdentity
  /// Bytes from record to record.
  var stride: Int
  var first: UInt64
  var end: UInt64 = 0
  var chain: UInt64
  /// The writer that wrote this page.
  var epoch: UInt64
  /// The number of the segment; later ones have higher numbers.
  var number: UInt64 = 0
  /// All sequences below it were durable when the page was written.
  var durableThrough: UInt64

  var words: EventHeader.Words {
    var words = EventHeader.Words(repeating: 0)
    words[1] = UInt64(Self.magic) | UInt64(Self.layout) << 32 | UInt64(kind.rawValue) << 48
    words[2] = identity.runID.low
    words[3] = identity.runID.high
    words[4] = UInt64(identity.topic) | UInt64(identity.partition) << 32
    words[5] = UInt64(stride)
    words[6] = first
    words[7] = end
    words[8] = chain
    words[9] = epoch
    words[10] = number
    words[11] = durableThrough
    words[15] = UInt64(checksum(&words)) << 32
    return words
  }

  /// Writes the page into 4096 bytes.
  func encode(into bytes: UnsafeMutableRawBufferPointer) {
    precondition(bytes.count == Self.byteCount, "a page of \(bytes.count) bytes")
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
    let words = self.words
    for index in 0..<16 { bytes.storeBytes(of: words[index], toByteOffset: 8 * index, as: UInt64.self) }
  }

  /// Reads a page; nil if a bit of its 128 bytes is not what was written, or if it is of another layout.
  init?(_ bytes: UnsafeRawBufferPointer) {
    precondition(bytes.count >= Self.byteCount, "a page of \(bytes.count) bytes")
    var words = EventHeader.Words(repeating: 0)
    for index in 0..<16 { words[index] = bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self) }
    guard UInt32(words[15] >> 32) == checksum(&words), UInt32(truncatingIfNeeded: words[15]) == 0,
      words[0] == 0, words[12] == 0, words[13] == 0, words[14] == 0,
      UInt32(truncatingIfNeeded: words[1]) == Self.magic, UInt16(truncatingIfNeeded: words[1] >> 32) == Self.layout,
      let kind = PageKind(rawValue: UInt16(words[1] >> 48)), let stride = Int(exactly: words[5]),
      words[6] < TaggedWord.sequenceLimit, words[11] < TaggedWord.sequenceLimit
    else { return nil }
    self.init(
      kind: kind,
      identity: RingIdentity(
        runID: RunID(low: words[2], high: words[3]), topic: UInt32(truncatingIfNeeded: words[4]),
        partition: UInt32(words[4] >> 32)),
      stride: stride, first: words[6], end: words[7], chain: words[8], epoch: words[9], number: words[10],
      durableThrough: words[11])
  }

  /// The layout of a whole page that another version wrote: magic, layout and checksum are where they are in every
  /// version. Nil for all else.
  static func otherLayout(_ bytes: UnsafeRawBufferPointer) -> UInt16? {
    var words = EventHeader.Words(repeating: 0)
    for index in 0..<16 { words[index] = bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self) }
    let layout = UInt16(truncatingIfNeeded: words[1] >> 32)
    guard UInt32(truncatingIfNeeded: words[1]) == Self.magic, layout != Self.layout,
      UInt32(words[15] >> 32) == checksum(&words)
    else {
      return nil
    }
    return layout
  }

  /// For messages: whose page it is that has another layout.
  static func refusal(ofLayout layout: UInt16) -> String {
    "was written by \(layout > Self.layout ? "a newer" : "another") version (layout \(layout)); "
      + "this one reads \(Self.layout)"
  }

  init(
    kind: PageKind, identity: RingIdentity, stride: Int, first: UInt64, end: UInt64 = 0, chain: UInt64, epoch: UInt64,
    number: UInt64 = 0,
    durableThrough: UInt64
  ) {
    self.kind = kind
    self.identity = identity
    self.stride = stride
    self.first = first
    self.end = end
    self.chain = chain
    self.epoch = epoch
    self.number = number
    self.durableThrough = durableThrough
  }
}
