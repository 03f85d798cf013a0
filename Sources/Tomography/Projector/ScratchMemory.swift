import Glibc

/// Memory that starts as zeros and costs nothing until it is touched.
final class ScratchMemory {
  let start: UnsafeMutableRawPointer
  let byteCount: Int

  init(byteCount: Int) {
    self.byteCount = max(byteCount, 1)
    let address = mmap(nil, self.byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let address, address != MAP_FAILED else { fatalError("no memory for \(byteCount) bytes of reconstruction scratch") }
    start = address
    // Only advice: without huge pages everything works, a little slower.
    _ = madvise(address, self.byteCount, MADV_HUGEPAGE)
  }

  deinit { munmap(start, byteCount) }
}
