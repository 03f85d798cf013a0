/// Memory for reads and writes that bypass the page cache: aligned to 4096 bytes.
final class AlignedMemory {
  let bytes: UnsafeMutableRawBufferPointer

  init(byteCount: Int) {
    precondition(byteCount > 0 && byteCount % 4096 == 0, "\(byteCount) B are not whole blocks")
    bytes = .allocate(byteCount: byteCount, alignment: 4096)
  }

  deinit { bytes.deallocate() }
}
