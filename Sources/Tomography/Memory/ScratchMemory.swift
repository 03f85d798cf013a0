import Glibc

/// Memory that starts as zeros and costs nothing until it is touched, on huge pages where the system has them: a
/// window's sinogram spans more small pages than the processor remembers.
package final class ScratchMemory {
  /// Of the memory; a multiple of 4096, of 2 MiB if there are that many bytes.
  package let start: UnsafeMutableRawPointer
  private let mapping: UnsafeMutableRawPointer
  private let mappedByteCount: Int

  private static let hugePage = 1 << 21

  /// Reserves memory; it is a bug to ask for more than there can be.
  package init(byteCount: Int) {
    let slack = byteCount >= Self.hugePage ? Self.hugePage : 0
    mappedByteCount = max(byteCount, 1) + slack
    let address = mmap(nil, mappedByteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let address, address != MAP_FAILED else {
      fatalError("no memory for \(byteCount) bytes of reconstruction scratch")
    }
    mapping = address
    start = slack == 0 ? address : address.alignedUp(toMultipleOf: Self.hugePage)
    // Only advice: without huge pages everything works, a little slower.
    _ = madvise(start, max(byteCount, 1), MADV_HUGEPAGE)
  }

  deinit { munmap(mapping, mappedByteCount) }
}
