import CVector

/// Slices that a step handles at once. Nothing here is fused or approximate, so the bits are the same at every x86-64
/// level.
///
/// SIMD comparisons, min and max compile lane by lane in Swift, so these use nothing but arithmetic and masks made of
/// sign bits. Arithmetic does too, and is put together again as long as the code around it is simple: so the operators
/// are C's. They are those of all vectors of this module whose type is known.
protocol LaneVector: SIMD where Scalar == Float {
  static func + (a: Self, b: Self) -> Self
  static func - (a: Self, b: Self) -> Self
  static func * (a: Self, b: Self) -> Self
  static func / (a: Self, b: Self) -> Self
  /// Its lanes where `sign` is positive, `other`'s where it is negative.
  func whereNegative(_ sign: Self, _ other: Self) -> Self
  /// |self|
  var magnitude: Self { get }
  /// √self in one instruction.
  var squareRoots: Self { get }
  /// Stores past the caches, if a vector is a whole cache line.
  func stream(_ address: UnsafeMutableRawPointer)
}

extension LaneVector {
  @inline(__always) static func + (a: Scalar, b: Self) -> Self { Self(repeating: a) + b }
  @inline(__always) static func + (a: Self, b: Scalar) -> Self { a + Self(repeating: b) }
  @inline(__always) static func - (a: Scalar, b: Self) -> Self { Self(repeating: a) - b }
  @inline(__always) static func - (a: Self, b: Scalar) -> Self { a - Self(repeating: b) }
  @inline(__always) static func * (a: Scalar, b: Self) -> Self { Self(repeating: a) * b }
  @inline(__always) static func * (a: Self, b: Scalar) -> Self { a * Self(repeating: b) }
  @inline(__always) static func += (a: inout Self, b: Self) { a = a + b }
  @inline(__always) static func *= (a: inout Self, b: Self) { a = a * b }
  @inline(__always) static func *= (a: inout Self, b: Scalar) { a = a * b }
}

extension SIMD2: LaneVector where Scalar == Float {
  @inline(__always) static func + (a: Self, b: Self) -> Self { cvector_add2(a, b) }
  @inline(__always) static func - (a: Self, b: Self) -> Self { cvector_subtract2(a, b) }
  @inline(__always) static func * (a: Self, b: Self) -> Self { cvector_multiply2(a, b) }
  @inline(__always) static func / (a: Self, b: Self) -> Self { cvector_divide2(a, b) }
  @inline(__always) var magnitude: Self { cvector_magnitude2(self) }
  @inline(__always) var squareRoots: Self { cvector_sqrt2(self) }
  @inline(__always) func stream(_ address: UnsafeMutableRawPointer) { store(address, streams: false) }
  @inline(__always) func whereNegative(_ sign: Self, _ other: Self) -> Self {
    let mask = unsafeBitCast(sign, to: SIMD2<Int32>.self) &>> 31
    let bits =
      (unsafeBitCast(self, to: SIMD2<Int32>.self) & ~mask) | (unsafeBitCast(other, to: SIMD2<Int32>.self) & mask)
    return unsafeBitCast(bits, to: Self.self)
  }
}

extension SIMD4: LaneVector where Scalar == Float {
  @inline(__always) static func + (a: Self, b: Self) -> Self { cvector_add4(a, b) }
  @inline(__always) static func - (a: Self, b: Self) -> Self { cvector_subtract4(a, b) }
  @inline(__always) static func * (a: Self, b: Self) -> Self { cvector_multiply4(a, b) }
  @inline(__always) static func / (a: Self, b: Self) -> Self { cvector_divide4(a, b) }
  @inline(__always) var magnitude: Self { cvector_magnitude4(self) }
  @inline(__always) var squareRoots: Self { cvector_sqrt4(self) }
  @inline(__always) func stream(_ address: UnsafeMutableRawPointer) { store(address, streams: false) }
  @inline(__always) func whereNegative(_ sign: Self, _ other: Self) -> Self {
    let mask = unsafeBitCast(sign, to: SIMD4<Int32>.self) &>> 31
    let bits =
      (unsafeBitCast(self, to: SIMD4<Int32>.self) & ~mask) | (unsafeBitCast(other, to: SIMD4<Int32>.self) & mask)
    return unsafeBitCast(bits, to: Self.self)
  }
}

extension SIMD16: LaneVector where Scalar == Float {
  @inline(__always) static func + (a: Self, b: Self) -> Self { cvector_add16(a, b) }
  @inline(__always) static func - (a: Self, b: Self) -> Self { cvector_subtract16(a, b) }
  @inline(__always) static func * (a: Self, b: Self) -> Self { cvector_multiply16(a, b) }
  @inline(__always) static func / (a: Self, b: Self) -> Self { cvector_divide16(a, b) }
  @inline(__always) var magnitude: Self { cvector_magnitude16(self) }
  @inline(__always) var squareRoots: Self { cvector_sqrt16(self) }
  @inline(__always) func stream(_ address: UnsafeMutableRawPointer) { cvector_stream16(address, self) }
  @inline(__always) func whereNegative(_ sign: Self, _ other: Self) -> Self {
    let mask = unsafeBitCast(sign, to: SIMD16<Int32>.self) &>> 31
    let bits =
      (unsafeBitCast(self, to: SIMD16<Int32>.self) & ~mask) | (unsafeBitCast(other, to: SIMD16<Int32>.self) & mask)
    return unsafeBitCast(bits, to: Self.self)
  }
}

extension LaneVector {
  /// max(0, self); NaN stays NaN.
  @inline(__always) var positive: Self { whereNegative(self, Self()) + (self - self) }

  /// The larger of two non-negative numbers, but zero where that is below `smallest`: a voxel that dwindles never
  /// becomes a denormal number, which is slow. NaN where self is.
  @inline(__always) func raised(to least: Self) -> Self {
    let larger = whereNegative(self - least, least)
    return larger.whereNegative(larger - smallest, Self()) + (self - self)
  }
}

extension LaneVector {
  @inline(__always) func store(_ address: UnsafeMutableRawPointer, streams: Bool) {
    if streams { stream(address) } else { address.storeBytes(of: self, as: Self.self) }
  }
}

/// Below it a voxel or a projected value is taken for zero.
let smallest: Float = 1e-25
