// What a processor can do at most, measured with the same vectors as the projector.

#if WITHOUT_FMA
  private typealias Widest = Lanes16
#elseif WITHOUT_AVX512
  private typealias Widest = Lanes32
#else
  private typealias Widest = Lanes64
#endif

/// Multiplies and adds in registers, in eight independent chains. Returns how many floats were multiplied and added.
///
/// `seed` holds a small factor, which the compiler must not know; the result goes to `seed[1]`.
package func multiplyAdds(rounds: Int, seed: UnsafeMutablePointer<Float>) -> Int {
  let factor = seed[0]
  var a = Widest(), b = Widest()
  for _ in 0..<rounds {
    a.add(factor, a)
    b.add(factor, b)
  }
  keep(a, b, in: seed)
  return rounds * 2 * Widest.byteCount / 4
}

/// Multiplies and adds `byteCount` bytes of memory (a multiple of 512) `rounds` times, each float loaded once. Returns
/// their number.
///
/// A few KB measure the first-level cache, more than all caches hold measure the memory. `seed` is that of
/// `multiplyAdds`.
package func loads(_ memory: UnsafeRawPointer, byteCount: Int, rounds: Int, seed: UnsafeMutablePointer<Float>) -> Int {
  let factor = seed[0]
  var a = Widest(), b = Widest()
  for _ in 0..<rounds {
    var address = memory
    let end = memory + byteCount
    while address < end {
      a.add(factor, Widest(address))
      b.add(factor, Widest(address + Widest.byteCount))
      address += 2 * Widest.byteCount
    }
  }
  keep(a, b, in: seed)
  return rounds * byteCount / 4
}

/// Makes every lane of the result count: the compiler leaves out chains of which nobody sees the end.
@inline(never) private func keep(_ a: Widest, _ b: Widest, in seed: UnsafeMutablePointer<Float>) {
  withUnsafeTemporaryAllocation(byteCount: 2 * Widest.byteCount, alignment: 64) { memory in
    guard let lanes = memory.baseAddress else { return }
    a.store(lanes)
    b.store(lanes + Widest.byteCount)
    seed[1] = memory.bindMemory(to: Float.self).reduce(0, +)
  }
}
