/// Values ← −log(max(value, floor)), NaN staying NaN; `floor` is a positive normal number. Returns how many values were
/// below the floor.
///
/// A value is m · 2ᵏ with m in [√½, √2), and log m = 2 artanh(s) = 2s (1 + s²/3 + s⁴/5 + …) with s = (m − 1)/(m + 1),
/// |s| < 0.172: the terms left out are below 3e-9 of the sum, so the error is that of single-precision arithmetic,
/// about 1 ulp. There is no table, call or branch, so that the loop is vectorised; and no fused operation, so that the
/// bits are those of every IEEE 754 machine.
func minusLog(_ values: UnsafeMutablePointer<Float>, count: Int, floor: Float) -> Int {
  let sqrtHalf: Int32 = 0x3f35_04f3  // the bits of √½
  var clampedCount: Int32 = 0
  var index = 0
  while index < count {
    let value = values[index]
    let isLow = value < floor
    clampedCount &+= isLow ? 1 : 0
    let clamped = isLow ? floor : value

    let offset = Int32(bitPattern: clamped.bitPattern) &- sqrtHalf
    let exponent = Float(offset &>> 23)
    let mantissa = Float(bitPattern: UInt32(bitPattern: (offset & 0x007f_ffff) &+ sqrtHalf))
    let s = (mantissa - 1) / (mantissa + 1)
    let z = s * s
    let series = z * (1 / 3 + z * (1 / 5 + z * (1 / 7 + z * (1 / 9))))
    // ln 2 in two parts: the first has few bits, so that its product with the exponent is exact.
    let logarithm = exponent * 0x1.62e4p-1 + (exponent * 0x1.7f7d1cp-20 + (2 * s + 2 * s * series))
    values[index] = (clamped - clamped) - logarithm  // the difference is 0, or NaN for NaN
    index &+= 1
  }
  return Int(clampedCount)
}
