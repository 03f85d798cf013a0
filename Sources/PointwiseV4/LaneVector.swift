import CVector

/// Slices that a step handles at once. Nothing here is fused or approximate, so the bits are the same at every x86-64 level.
///
/// SIMD comparisons, min and max compile lane by lane in Swift, so these use nothing but arithmetic and masks made of sign bits.
protocol LaneVector: SIMD where Scalar == Float {
  /// Its lanes where `sign` is positive, `other`'s where it is negative.
  func whereNegative(_ sign: Self, _ other: Self) -> Self
  /// |self|
  var magnitude: Self { get }
  /// √self in one instruction.
  var squareRoots: Self { get }
}

extension SIMD4: LaneVector where Scalar == Float {
  @inline(__always) func whereNegative(_ sign: Self, _ other: Self) -> Self {
    let mask = unsafeBitCast(sign, to: SIMD4<Int32>.self) &>> 31
    let bits = (unsafeBitCast(self, to: SIMD4<Int32>.self) & ~mask) | (unsafeBitCast(other, to: SIMD4<Int32>.self) & mask)
    return unsafeBitCast(bits, to: Self.self)
  }
  @inline(__always) var magnitude: Self { unsafeBitCast(unsafeBitCast(self, to: SIMD4<Int32>.self) & 0x7fff_ffff, to: Self.self) }
  @inline(__always) var squareRoots: Self {
    var values = self
    withUnsafeMutableBytes(of: &values) { cvector_sqrt4($0.baseAddress!.assumingMemoryBound(to: Float.self)) }
    return values
  }
}

extension SIMD16: LaneVector where Scalar == Float {
  @inline(__always) func whereNegative(_ sign: Self, _ other: Self) -> Self {
    let mask = unsafeBitCast(sign, to: SIMD16<Int32>.self) &>> 31
    let bits = (unsafeBitCast(self, to: SIMD16<Int32>.self) & ~mask) | (unsafeBitCast(other, to: SIMD16<Int32>.self) & mask)
    return unsafeBitCast(bits, to: Self.self)
  }
  @inline(__always) var magnitude: Self { unsafeBitCast(unsafeBitCast(self, to: SIMD16<Int32>.self) & 0x7fff_ffff, to: Self.self) }
  @inline(__always) var squareRoots: Self {
    var values = self
    withUnsafeMutableBytes(of: &values) { cvector_sqrt16($0.baseAddress!.assumingMemoryBound(to: Float.self)) }
    return values
  }
}

extension LaneVector {
  /// max(0, self); NaN stays NaN.
  @inline(__always) var positive: Self { whereNegative(self, Self()) + (self - self) }

  /// The larger of two non-negative numbers, but zero where that is below `smallest`: a voxel that dwindles never becomes a denormal number,
  /// which is slow. NaN where self is.
  @inline(__always) func raised(to least: Self) -> Self {
    let larger = whereNegative(self - least, least)
    return larger.whereNegative(larger - smallest, Self()) + (self - self)
  }
}

/// Below it a voxel or a projected value is taken for zero.
let smallest: Float = 1e-25

/// Addresses are multiples of a vector's size: a pixel starts at a multiple of its own size from a page.
@inline(__always) func vector<V: SIMD>(_ address: UnsafeRawPointer, _: V.Type = V.self) -> V {
  address.assumingMemoryBound(to: V.self).pointee
}
