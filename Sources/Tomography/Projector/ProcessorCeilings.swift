/// What one core of this machine can do at most with the instructions of a level: the scale beside which the projector
/// is measured.
///
/// Each function does a piece of work whose duration the caller measures, and returns how much it was. Not for several
/// threads at once.
package final class ProcessorCeilings {
  private let kernels: KernelTable
  private let memory: ScratchMemory
  private let seed: UnsafeMutablePointer<Float>

  /// Bytes that stay in the first-level cache.
  private static let cachedByteCount = 16_384

  /// Prepares `memoryByteCount` bytes (a multiple of 512) for `readMemory`, and the kernels of an x86-64 level, the
  /// processor's own if nil.
  package init(memoryByteCount: Int, level: Int? = nil) {
    precondition(memoryByteCount >= Self.cachedByteCount && memoryByteCount % 512 == 0, "\(memoryByteCount) bytes")
    kernels = KernelTable(level: level)
    memory = ScratchMemory(byteCount: memoryByteCount + 4096)
    memory.start.initializeMemory(as: UInt8.self, repeating: 0, count: memoryByteCount)
    seed = (memory.start + memoryByteCount).assumingMemoryBound(to: Float.self)
    seed[0] = 1e-9
    self.memoryByteCount = memoryByteCount
  }

  /// Bytes that `readMemory` reads once.
  let memoryByteCount: Int

  /// Multiplies and adds in registers; returns the number of floats.
  package func multiplyAdds() -> Int { kernels.multiplyAdds(200_000, seed) }

  /// Multiplies and adds, each float loaded from the first-level cache; returns their number.
  package func loadFromCache() -> Int { kernels.loads(memory.start, Self.cachedByteCount, 2_000, seed) }

  /// Reads all of the memory once; returns the number of bytes.
  package func readMemory() -> Int { 4 * kernels.loads(memory.start, memoryByteCount, 1, seed) }
}
