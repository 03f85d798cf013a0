// Integer and fractional parts of sixteen positions. SIMD comparisons, min, max and float-to-integer conversions
// compile lane by lane in Swift, so these use nothing but additions, shifts and masks.

typealias Vector = SIMD16<Float>
typealias Indices = SIMD16<Int32>

/// 1.5 · 2²³: adding it rounds a small float to an integer and leaves that integer in the low bits.
let roundingBias: Float = 12_582_912

/// `position = floor + fraction` with a fraction in 0…1 (1 only where rounding ties up). |position| must stay below
/// 2²².
@inline(__always) func split(_ position: Vector) -> (floor: Indices, fraction: Vector) {
  let rounded = (position - 0.5) + roundingBias
  let floor = unsafeBitCast(rounded, to: Indices.self) &- Int32(bitPattern: roundingBias.bitPattern)
  return (floor, position - (rounded - roundingBias))
}

/// max(0, x), and a NaN without a sign stays.
@inline(__always) func positive(_ x: Vector) -> Vector {
  let bits = unsafeBitCast(x, to: Indices.self)
  return unsafeBitCast(bits & ~(bits &>> 31), to: Vector.self)
}

/// |x|
@inline(__always) func magnitude(_ x: Vector) -> Vector {
  unsafeBitCast(unsafeBitCast(x, to: Indices.self) & 0x7fff_ffff, to: Vector.self)
}

/// x where 0 ≤ index < count, else 0
@inline(__always) func keep(_ x: Vector, where index: Indices, isBelow count: Int32) -> Vector {
  let outside = (index | ((count &- 1) &- index)) &>> 31
  return unsafeBitCast(unsafeBitCast(x, to: Indices.self) & ~outside, to: Vector.self)
}
