internal import Glibc

// The HDF5 filter bitshuffle with LZ4 (K. Masui et al., Astron. Comput. 12, 181, 2015), as DECTRIS puts it into its
// stream:
//
//   bytes of the image u64 | bytes of a block u32 | for each block: its packed bytes u32 | LZ4 block … (numbers
//   big-endian)
//
// A block holds a multiple of 8 elements, bit by bit: first bit 0 of all of them, eight to a byte, then bit 1, and so
// on. The last block is shorter; the fewer than 8 elements behind it lie unpacked at the end.

/// Unpacks an image, which must fill `target` exactly. Without `hasSizes` it begins with its first block, and its
/// blocks have 8 KiB.
func unshuffleImage(
  _ image: UnsafeRawBufferPointer, hasSizes: Bool, elementByteCount: Int, into target: UnsafeMutableRawBufferPointer
) throws(MessageFault) {
  let blockByteCount =
    hasSizes
    ? try blockByteCount(image, elementByteCount: elementByteCount, imageByteCount: target.count) : blockByteCountUsual
  var (read, written) = (hasSizes ? 12 : 0, 0)
  let shuffledByteCount = target.count / (8 * elementByteCount) * (8 * elementByteCount)
  // A typed throw does not pass through the allocation's closure.
  let result = withUnsafeTemporaryAllocation(byteCount: blockByteCount, alignment: 64) {
    scratch -> Result<Void, MessageFault> in
    do throws(MessageFault) {
      while written < shuffledByteCount {
        let size = min(blockByteCount, shuffledByteCount - written)
        guard image.count - read >= 4 else { throw .compression }
        let packed = Int(bigEndian(image, at: read, as: UInt32.self))
        read += 4
        guard packed > 0, packed <= image.count - read else { throw .compression }
        let shuffled = UnsafeMutableRawBufferPointer(rebasing: scratch[..<size])
        try decompressBlock(UnsafeRawBufferPointer(rebasing: image[read..<read + packed]), into: shuffled)
        unshuffle(
          UnsafeRawBufferPointer(shuffled), elementByteCount: elementByteCount, into: target.baseAddress! + written)
        (read, written) = (read + packed, written + size)
      }
      return .success(())
    } catch {
      return .failure(error)
    }
  }
  try result.get()
  guard image.count - read == target.count - written else { throw .compression }
  if target.count > written { memcpy(target.baseAddress! + written, image.baseAddress! + read, target.count - written) }
}

/// Bitshuffle's own choice.
private let blockByteCountUsual = 8 << 10
/// More than this is damage.
private let blockByteCountMax = 1 << 20

/// What the sizes before the first block say.
private func blockByteCount(_ image: UnsafeRawBufferPointer, elementByteCount: Int, imageByteCount: Int)
  throws(MessageFault) -> Int
{
  guard image.count >= 12, bigEndian(image, at: 0, as: UInt64.self) == UInt64(imageByteCount) else {
    throw .compression
  }
  let count = Int(bigEndian(image, at: 8, as: UInt32.self))
  guard (8 * elementByteCount...blockByteCountMax).contains(count), count % (8 * elementByteCount) == 0 else {
    throw .compression
  }
  return count
}

private func bigEndian<Number: FixedWidthInteger>(_ bytes: UnsafeRawBufferPointer, at offset: Int, as type: Number.Type)
  -> Number
{
  Number(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
}

/// Puts the bits of a block together again, eight elements at a time: byte `group` of bit plane `bit` holds that bit of
/// elements 8 × group ….
private func unshuffle(_ block: UnsafeRawBufferPointer, elementByteCount: Int, into target: UnsafeMutableRawPointer) {
  let groups = block.count / (8 * elementByteCount)
  for byte in 0..<elementByteCount {
    for group in 0..<groups {
      var planes: UInt64 = 0
      for bit in 0..<8 { planes |= UInt64(block[(8 * byte + bit) * groups + group]) << UInt64(8 * bit) }
      let elements = transpose(planes)
      for element in 0..<8 {
        (target + (8 * group + element) * elementByteCount + byte)
          .storeBytes(of: UInt8(truncatingIfNeeded: elements >> UInt64(8 * element)), as: UInt8.self)
      }
    }
  }
}

/// An 8 × 8 matrix of bits with rows and columns exchanged (H. S. Warren, Hacker's Delight, 2nd ed., 7–3).
private func transpose(_ matrix: UInt64) -> UInt64 {
  var x = matrix
  var swap = (x ^ (x >> 7)) & 0x00AA_00AA_00AA_00AA
  x ^= swap ^ (swap << 7)
  swap = (x ^ (x >> 14)) & 0x0000_CCCC_0000_CCCC
  x ^= swap ^ (swap << 14)
  swap = (x ^ (x >> 28)) & 0x0000_0000_F0F0_F0F0
  return x ^ swap ^ (swap << 28)
}
