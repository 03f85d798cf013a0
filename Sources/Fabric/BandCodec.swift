internal import Packing

/// How the rows of a message are written.
enum BandCodec: UInt16, Sendable {
  /// As they are.
  case none = 0
  /// Bit by bit, in blocks of LZ4 (Packing).
  case bitshuffleLZ4 = 1

  /// Whether rows of `plain` bytes may be `stored` ones: what is packed is smaller.
  func allows(stored: Int, plain: Int) -> Bool {
    switch self {
    case .none: stored == plain
    case .bitshuffleLZ4: (1..<max(plain, 1)).contains(stored)
    }
  }

  /// Writes rows into exactly as many bytes: packed where `elementByteCount` says how large their elements are and that
  /// makes them smaller. Gives how, and the bytes that were used.
  static func write(
    _ rows: UnsafeRawBufferPointer, elementByteCount: Int?, into target: UnsafeMutableRawBufferPointer
  ) -> (BandCodec, Int) {
    if let elementByteCount, rows.count > 1,
      let count = shuffleImage(
        rows, elementByteCount: elementByteCount,
        into: UnsafeMutableRawBufferPointer(rebasing: target[..<(rows.count - 1)]))
    {
      return (.bitshuffleLZ4, count)
    }
    target.copyMemory(from: rows)
    return (.none, rows.count)
  }

  /// Unpacks packed rows, which must fill `rows` exactly; false where they do not.
  func unpack(
    _ stored: UnsafeRawBufferPointer, elementByteCount: Int, into rows: UnsafeMutableRawBufferPointer
  ) -> Bool {
    do throws(PackingFault) {
      try unshuffleImage(stored, hasSizes: false, elementByteCount: elementByteCount, into: rows)
      return true
    } catch { return false }
  }
}

/// Memory for the rows of one message.
final class RowsMemory {
  let bytes: UnsafeMutableRawBufferPointer
  init(_ byteCount: Int) { bytes = .allocate(byteCount: byteCount, alignment: 64) }
  deinit { bytes.deallocate() }
}

/// Whether packing the messages of one stream is worth its time: where it did not make several in a row noticeably
/// smaller, it is tried now and then only.
struct PackingTrial {
  private var misses = 0

  /// Messages in a row, and of how many one is tried then.
  private static let (missesMax, interval) = (8, 32)
  /// The part of its bytes that a message has to lose.
  private static let worth = 32

  /// Whether the next message is to be packed.
  mutating func isDue() -> Bool {
    guard misses >= Self.missesMax else { return true }
    misses += 1
    return (misses - Self.missesMax) % Self.interval == 0
  }

  /// Takes note of a message that was tried: what its rows had, and what is stored of them.
  mutating func note(plain: Int, stored: Int) {
    if plain - stored >= max(1, plain / Self.worth) {
      misses = 0
    } else if misses < Self.missesMax {
      misses += 1
    }
  }
}
