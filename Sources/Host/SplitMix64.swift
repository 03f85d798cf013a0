/// Steele, Lea and Flood's generator (Fast splittable pseudorandom number generators, OOPSLA 2014): small, fast, the
/// same everywhere.
package struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  /// Equal seeds give equal numbers.
  package init(seed: UInt64) { state = seed }

  /// A stream of its own for each combination of seed and keys, whatever else was drawn before.
  package init(seed: UInt64, _ keys: Int...) {
    state = seed
    for key in keys { state = Self.mix(state &+ 0x9e37_79b9_7f4a_7c15) ^ UInt64(bitPattern: Int64(key)) }
    state = Self.mix(state)
  }

  /// The next 64 random bits.
  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    return Self.mix(state)
  }

  /// Uniform in [0, 1), a multiple of 2⁻⁵³.
  package mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
