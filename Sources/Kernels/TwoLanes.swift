import CVector

// With two lanes a vector has room for eight pixels, `[place][lane]`. Neighbours are loaded together and brought into
// order in registers.

/// Sizes of pixels and bins of two lanes.
enum TwoLanes {
  /// Bytes of a pixel or bin.
  static var pixelByteCount: Int { 8 }
  /// Pixels or bins in a vector.
  static var pixelsPerVector: Int { 8 }
}

/// Eight pixels in a row.
@inline(__always) func eightPixels(_ address: UnsafeRawPointer) -> Vector { address.loadUnaligned(as: Vector.self) }

/// The same bits as integers and as floats.
@inline(__always) func floats(_ x: Indices) -> Vector { unsafeBitCast(x, to: Vector.self) }
@inline(__always) func integers(_ x: Vector) -> Indices { unsafeBitCast(x, to: Indices.self) }

/// Sixteen pixels or bins in a row, of which any eight and those right of them can be taken.
struct TwoLanesWindow {
  static var count: Int { 16 }
  static var byteCount: Int { count * TwoLanes.pixelByteCount }

  #if WITHOUT_AVX512
    let start: UnsafeRawPointer

    @inline(__always) init(_ start: UnsafeRawPointer) { self.start = start }

    /// The pixels at eight of sixteen `places` 0…14, those of step 0 or 1, and those right of them.
    @inline(__always) func pick(_ places: Indices, step: Int) -> (Vector, Vector) {
      withUnsafeBytes(of: places) { places in
        let low = neighbours(places, 8 * step, 0), high = neighbours(places, 8 * step + 4, 0)
        return (cvector_even(low, high), cvector_odd(low, high))
      }
    }

    /// For four of sixteen `places` 0…13, those of a patch's `line`: the pixels there and right of there, and the same
    /// a pixel farther right.
    @inline(__always) func pickPairs(_ places: Indices, line: Int) -> (Vector, Vector) {
      withUnsafeBytes(of: places) { (neighbours($0, 4 * line, 0), neighbours($0, 4 * line, TwoLanes.pixelByteCount)) }
    }

    /// Four times two neighbours.
    @inline(__always) private func neighbours(_ places: UnsafeRawBufferPointer, _ first: Int, _ offset: Int) -> Vector {
      @inline(__always) func pair(_ index: Int) -> SIMD4<Float> {
        let place = Int(places.load(fromByteOffset: 4 * (first + index), as: Int32.self))
        return start.loadUnaligned(fromByteOffset: TwoLanes.pixelByteCount * place + offset, as: SIMD4<Float>.self)
      }
      return Vector(
        lowHalf: SIMD8(lowHalf: pair(0), highHalf: pair(1)), highHalf: SIMD8(lowHalf: pair(2), highHalf: pair(3)))
    }
  #else
    let near: Vector, far: Vector

    @inline(__always) init(_ start: UnsafeRawPointer) {
      near = eightPixels(start)
      far = eightPixels(start + TwoLanesWindow.byteCount / 2)
    }

    /// The pixels at eight of sixteen `places` 0…14, those of step 0 or 1, and those right of them.
    @inline(__always) func pick(_ places: Indices, step: Int) -> (Vector, Vector) {
      pick(integers(cvector_twice(floats(places), Int32(truncatingIfNeeded: step))))
    }

    /// For four of sixteen `places` 0…13, those of a patch's `line`: the pixels there and right of there, and the same
    /// a pixel farther right.
    @inline(__always) func pickPairs(_ places: Indices, line: Int) -> (Vector, Vector) {
      pick(integers(cvector_interleave(floats(places), floats(places &+ 1), Int32(truncatingIfNeeded: line))))
    }

    @inline(__always) private func pick(_ places: Indices) -> (Vector, Vector) {
      (cvector_pick(near, far, places), cvector_pick(near, far, places &+ 1))
    }
  #endif
}

/// The first `count` (1…8) pixels; the others are not touched.
@inline(__always) func loadPixels(_ address: UnsafeRawPointer, _ count: Int) -> Vector {
  if count == TwoLanes.pixelsPerVector { return eightPixels(address) }
  #if WITHOUT_AVX512
    var pixels = Vector.zero
    withUnsafeMutableBytes(of: &pixels) {
      $0.baseAddress!.copyMemory(from: address, byteCount: count * TwoLanes.pixelByteCount)
    }
    return pixels
  #else
    return cvector_load_some(address, (1 << UInt32(truncatingIfNeeded: count)) &- 1)
  #endif
}

/// Stores the first `count` (1…8) pixels.
@inline(__always) func storePixels(_ pixels: Vector, _ address: UnsafeMutableRawPointer, _ count: Int) {
  if count == TwoLanes.pixelsPerVector { return address.storeBytes(of: pixels, as: Vector.self) }
  #if WITHOUT_AVX512
    withUnsafeBytes(of: pixels) {
      address.copyMemory(from: $0.baseAddress!, byteCount: count * TwoLanes.pixelByteCount)
    }
  #else
    cvector_store_some(address, pixels, (1 << UInt32(truncatingIfNeeded: count)) &- 1)
  #endif
}
