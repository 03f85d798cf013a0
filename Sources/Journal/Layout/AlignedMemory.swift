/// Memory for reads and writes that bypass the page cache: aligned to 4096 bytes.
final class AlignedMemory {
  let bytes: UnsafeMutableRawBufferPointer

  init(byteCount: Int) {
    bytes = .allocate(byteCount: byteCount, alignment: 4096)
  }

  deinit { bytes.deallocate() }
}
