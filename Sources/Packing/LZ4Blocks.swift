internal import CLZ4

// The HDF5 filter LZ4 (HDF Group, registered filter 32004), as DECTRIS puts it into its stream version 2:
//
//   bytes of the image u64 | bytes of a block u32 | for each block: its packed bytes u32 | LZ4 block … (numbers
//   big-endian)
//
// The last block is shorter. A block that would not become smaller lies there as it is, with its own size.

/// Unpacks such an image, which must fill `target` exactly.
package func decompressBlocks(
  _ image: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
) throws(PackingFault) {
  func number<Number: FixedWidthInteger>(at offset: Int, as type: Number.Type) -> Number {
    Number(bigEndian: image.loadUnaligned(fromByteOffset: offset, as: type))
  }
  guard image.count >= 12, number(at: 0, as: UInt64.self) == UInt64(target.count) else { throw PackingFault() }
  let blockByteCount = Int(number(at: 8, as: UInt32.self))
  guard blockByteCount > 0 else { throw PackingFault() }
  var (read, written) = (12, 0)
  while written < target.count {
    let size = min(blockByteCount, target.count - written)
    guard image.count - read >= 4 else { throw PackingFault() }
    let packed = Int(number(at: read, as: UInt32.self))
    read += 4
    guard packed > 0, packed <= image.count - read else { throw PackingFault() }
    let (from, to) = (
      UnsafeRawBufferPointer(rebasing: image[read..<read + packed]),
      UnsafeMutableRawBufferPointer(rebasing: target[written..<written + size])
    )
    if packed == size { to.copyMemory(from: from) } else { try decompressBlock(from, into: to) }
    (read, written) = (read + packed, written + size)
  }
  guard read == image.count else { throw PackingFault() }
}

/// Unpacks one LZ4 block, which must fill `target` exactly.
package func decompressBlock(
  _ block: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
) throws(PackingFault) {
  guard let source = block.baseAddress, let room = target.baseAddress, let size = Int32(exactly: block.count),
    let capacity = Int32(exactly: target.count)
  else { throw PackingFault() }
  let count = LZ4_decompress_safe(
    source.assumingMemoryBound(to: CChar.self), room.assumingMemoryBound(to: CChar.self), size, capacity)
  guard count == capacity else { throw PackingFault() }
}

/// Packs one LZ4 block; gives its bytes, nil where `target` has no room for them.
func compressBlock(_ block: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Int? {
  guard let source = block.baseAddress, let room = target.baseAddress, let size = Int32(exactly: block.count) else {
    return nil
  }
  let count = LZ4_compress_default(
    source.assumingMemoryBound(to: CChar.self), room.assumingMemoryBound(to: CChar.self), size,
    Int32(clamping: target.count))
  return count > 0 ? Int(count) : nil
}
