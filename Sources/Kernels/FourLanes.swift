import CVector

// With four lanes a vector has room for four pixels: they are gathered from four places, `[place][lane]`.

@inline(__always) private func four(_ address: UnsafeRawPointer) -> SIMD4<Float> { vector(address) }

/// The pixels at four places.
@inline(__always) func gather(
  _ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ c: UnsafeRawPointer, _ d: UnsafeRawPointer
) -> Vector {
  Vector(lowHalf: SIMD8(lowHalf: four(a), highHalf: four(b)), highHalf: SIMD8(lowHalf: four(c), highHalf: four(d)))
}

/// The pixels at four places are stored.
@inline(__always) func scatter(
  _ x: Vector, _ a: UnsafeMutableRawPointer, _ b: UnsafeMutableRawPointer, _ c: UnsafeMutableRawPointer,
  _ d: UnsafeMutableRawPointer
) {
  a.storeBytes(of: x.lowHalf.lowHalf, as: SIMD4<Float>.self)
  b.storeBytes(of: x.lowHalf.highHalf, as: SIMD4<Float>.self)
  c.storeBytes(of: x.highHalf.lowHalf, as: SIMD4<Float>.self)
  d.storeBytes(of: x.highHalf.highHalf, as: SIMD4<Float>.self)
}

/// Each of the four weights at `address` for the lanes of one pixel.
@inline(__always) func spread(_ address: UnsafeRawPointer) -> Vector { cvector_spread4(vector(address)) }

/// Weights of four rays: two from each of two addresses.
@inline(__always) func spread(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> Vector {
  cvector_spread4(SIMD4(lowHalf: a.load(as: SIMD2<Float>.self), highHalf: b.load(as: SIMD2<Float>.self)))
}
