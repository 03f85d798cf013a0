internal import Glibc

// The HDF5 filter bitshuffle with LZ4 (K. Masui et al., Astron. Comput. 12, 181, 2015), as DECTRIS puts it into its
// stream, and as bands travel to nodes without the sizes before the first block:
//
//   bytes of the image u64 | bytes of a block u32 | for each block: its packed bytes u32 | LZ4 block … (numbers
//   big-endian)
//
// A block holds a multiple of 8 elements, bit by bit: first bit 0 of all of them, eight to a byte, then bit 1, and so
// on. The last block is shorter; the fewer than 8 elements behind it lie unpacked at the end.

/// Unpacks an image, which must fill `target` exactly. Without `hasSizes` it begins with its first block, and its
/// blocks have 8 KiB.
package func unshuffleImage(
  _ image: UnsafeRawBufferPointer, hasSizes: Bool, elementByteCount: Int, into target: UnsafeMutableRawBufferPointer
) throws(PackingFault) {
  let blockByteCount =
    hasSizes
    ? try blockByteCount(image, elementByteCount: elementByteCount, imageByteCount: target.count) : blockByteCountUsual
  var (read, written) = (hasSizes ? 12 : 0, 0)
  let shuffledByteCount = target.count / (8 * elementByteCount) * (8 * elementByteCount)
  // A typed throw does not pass through the allocation's closure.
  let result = withUnsafeTemporaryAllocation(byteCount: blockByteCount, alignment: 64) {
    scratch -> Result<Void, PackingFault> in
    do throws(PackingFault) {
      while written < shuffledByteCount {
        let size = min(blockByteCount, shuffledByteCount - written)
        guard image.count - read >= 4 else { throw PackingFault() }
        let packed = Int(bigEndian(image, at: read, as: UInt32.self))
        read += 4
        guard packed > 0, packed <= image.count - read else { throw PackingFault() }
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
  guard image.count - read == target.count - written else { throw PackingFault() }
  if target.count > written { memcpy(target.baseAddress! + written, image.baseAddress! + read, target.count - written) }
}

/// Bitshuffle's own choice.
private let blockByteCountUsual = 8 << 10
/// More than this is damage.
private let blockByteCountMax = 1 << 20

/// What the sizes before the first block say.
private func blockByteCount(_ image: UnsafeRawBufferPointer, elementByteCount: Int, imageByteCount: Int)
  throws(PackingFault) -> Int
{
  guard image.count >= 12, bigEndian(image, at: 0, as: UInt64.self) == UInt64(imageByteCount) else {
    throw PackingFault()
  }
  let count = Int(bigEndian(image, at: 8, as: UInt32.self))
  guard (8 * elementByteCount...blockByteCountMax).contains(count), count % (8 * elementByteCount) == 0 else {
    throw PackingFault()
  }
  return count
}

private func bigEndian<Number: FixedWidthInteger>(_ bytes: UnsafeRawBufferPointer, at offset: Int, as type: Number.Type)
  -> Number
{
  Number(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
}

/// Packs an image of elements without the sizes before its first block; gives its bytes, nil where `target` has no room
/// for them.
package func shuffleImage(
  _ image: UnsafeRawBufferPointer, elementByteCount: Int, into target: UnsafeMutableRawBufferPointer
) -> Int? {
  let shuffledByteCount = image.count / (8 * elementByteCount) * (8 * elementByteCount)
  return withUnsafeTemporaryAllocation(byteCount: blockByteCountUsual, alignment: 64) { scratch in
    var (read, written) = (0, 0)
    while read < shuffledByteCount {
      let size = min(blockByteCountUsual, shuffledByteCount - read)
      let planes = UnsafeMutableRawBufferPointer(rebasing: scratch[..<size])
      shuffle(
        UnsafeRawBufferPointer(rebasing: image[read..<read + size]), elementByteCount: elementByteCount, into: planes)
      guard target.count - written > 4,
        let packed = compressBlock(
          UnsafeRawBufferPointer(planes), into: UnsafeMutableRawBufferPointer(rebasing: target[(written + 4)...]))
      else { return nil }
      target.storeBytes(of: UInt32(packed).bigEndian, toByteOffset: written, as: UInt32.self)
      (read, written) = (read + size, written + 4 + packed)
    }
    let rest = UnsafeRawBufferPointer(rebasing: image[read...])
    guard rest.count <= target.count - written else { return nil }
    UnsafeMutableRawBufferPointer(rebasing: target[written...]).copyMemory(from: rest)
    return written + rest.count
  }
}

/// Puts the bits of a block together again, eight elements at a time: byte `group` of bit plane `bit` holds that bit of
/// elements 8 × group ….
private func unshuffle(_ block: UnsafeRawBufferPointer, elementByteCount: Int, into target: UnsafeMutableRawPointer) {
  let groups = block.count / (8 * elementByteCount)
  if elementByteCount == 2 {
    for group in 0..<groups {
      let low = transpose(gather(block, at: group, groups)),
        high = transpose(gather(block, at: group + 8 * groups, groups))
      let place = target + 16 * group
      place.storeBytes(of: spread(low) | spread(high) << 8, as: UInt64.self)
      (place + 8).storeBytes(of: spread(low >> 32) | spread(high >> 32) << 8, as: UInt64.self)
    }
    return
  }
  for byte in 0..<elementByteCount {
    for group in 0..<groups {
      let elements = transpose(gather(block, at: 8 * byte * groups + group, groups))
      for element in 0..<8 {
        (target + (8 * group + element) * elementByteCount + byte)
          .storeBytes(of: UInt8(truncatingIfNeeded: elements >> UInt64(8 * element)), as: UInt8.self)
      }
    }
  }
}

/// The inverse: lays the bits of a block apart.
private func shuffle(
  _ block: UnsafeRawBufferPointer, elementByteCount: Int, into target: UnsafeMutableRawBufferPointer
) {
  let groups = block.count / (8 * elementByteCount)
  if elementByteCount == 2 {
    for group in 0..<groups {
      let first = block.loadUnaligned(fromByteOffset: 16 * group, as: UInt64.self)
      let second = block.loadUnaligned(fromByteOffset: 16 * group + 8, as: UInt64.self)
      scatter(transpose(pick(first) | pick(second) << 32), into: target, at: group, groups)
      scatter(transpose(pick(first >> 8) | pick(second >> 8) << 32), into: target, at: group + 8 * groups, groups)
    }
    return
  }
  for byte in 0..<elementByteCount {
    for group in 0..<groups {
      scatter(
        transpose(gather(block, at: 8 * group * elementByteCount + byte, elementByteCount)), into: target,
        at: 8 * byte * groups + group, groups)
    }
  }
}

/// Eight bytes that lie `stride` apart.
private func gather(_ bytes: UnsafeRawBufferPointer, at offset: Int, _ stride: Int) -> UInt64 {
  var word: UInt64 = 0
  for index in 0..<8 { word |= UInt64(bytes[offset + index * stride]) << UInt64(8 * index) }
  return word
}

/// The inverse: stores eight bytes `stride` apart.
private func scatter(_ word: UInt64, into bytes: UnsafeMutableRawBufferPointer, at offset: Int, _ stride: Int) {
  for index in 0..<8 { bytes[offset + index * stride] = UInt8(truncatingIfNeeded: word >> UInt64(8 * index)) }
}

/// The low bytes of four elements of two bytes, side by side.
private func pick(_ elements: UInt64) -> UInt64 {
  var x = elements & 0x00FF_00FF_00FF_00FF
  x = (x | x >> 8) & 0x0000_FFFF_0000_FFFF
  return (x | x >> 16) & 0xFFFF_FFFF
}

/// The inverse: four bytes as the low ones of four elements of two.
private func spread(_ bytes: UInt64) -> UInt64 {
  var x = bytes & 0xFFFF_FFFF
  x = (x | x << 16) & 0x0000_FFFF_0000_FFFF
  return (x | x << 8) & 0x00FF_00FF_00FF_00FF
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
