// The HDF5 filter LZ4 (HDF Group, registered filter 32004), as DECTRIS puts it into its stream version 2:
//
//   bytes of the image u64 | bytes of a block u32 | for each block: its packed bytes u32 | LZ4 block … (numbers
//   big-endian)
//
// The last block is shorter. A block that would not become smaller lies there as it is, with its own size.

/// Unpacks such an image, which must fill `target` exactly.
func decompressBlocks(_ image: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) throws(MessageFault)
{
  func number<Number: FixedWidthInteger>(at offset: Int, as type: Number.Type) -> Number {
    Number(bigEndian: image.loadUnaligned(fromByteOffset: offset, as: type))
  }
  guard image.count >= 12, number(at: 0, as: UInt64.self) == UInt64(target.count) else { throw .compression }
  let blockByteCount = Int(number(at: 8, as: UInt32.self))
  guard blockByteCount > 0 else { throw .compression }
  var (read, written) = (12, 0)
  while written < target.count {
    let size = min(blockByteCount, target.count - written)
    guard image.count - read >= 4 else { throw .compression }
    let packed = Int(number(at: read, as: UInt32.self))
    read += 4
    guard packed > 0, packed <= image.count - read else { throw .compression }
    let (from, to) = (
      UnsafeRawBufferPointer(rebasing: image[read..<read + packed]),
      UnsafeMutableRawBufferPointer(rebasing: target[written..<written + size])
    )
    if packed == size { to.copyMemory(from: from) } else { try decompressBlock(from, into: to) }
    (read, written) = (read + packed, written + size)
  }
  guard read == image.count else { throw .compression }
}
