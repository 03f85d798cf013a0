import CVector

// In fixed point two neighbouring voxels or bins stand side by side as 16-bit numbers in the 32 bits of a lane. A
// product with two weights, and a sum of such products, is exact: the same at every x86-64 level, in any order.

/// Sums of lanes in fixed point, as many as are held in registers at once.
protocol PairLanes {
  /// The same lanes as floats.
  associatedtype Floats: PlainLanes
  /// Bytes of a pixel's words.
  static var byteCount: Int { get }
  /// Zeros.
  init()
  /// self += first weight · first neighbour + second weight · second neighbour, of the words at an address.
  mutating func add(_ weights: Int32, _ pairs: UnsafeRawPointer)
  var floats: Floats { get }
  /// Bytes of a voxel's lanes in a tile.
  static var voxelByteCount: Int { get }
  /// The words of a voxel of a tile and its neighbour.
  static func storeWord(_ near: UnsafeRawPointer, _ far: UnsafeRawPointer, _ word: UnsafeMutableRawPointer)
}

extension PairLanes {
  @inline(__always) static var voxelByteCount: Int { max(64, byteCount / 2) }
  @inline(__always) static func storeWord(
    _ near: UnsafeRawPointer, _ far: UnsafeRawPointer, _ word: UnsafeMutableRawPointer
  ) {
    let a: SIMD16<Int32> = vector(near), b: SIMD16<Int32> = vector(far)
    word.storeBytes(of: cvector_side_by_side(a, b), as: SIMD16<Int32>.self)
  }
}

/// Floats whose products and sums are rounded one by one, so that the bits do not depend on the level.
protocol PlainLanes: LaneGroup {
  static func + (a: Self, b: Self) -> Self
  static func * (a: Self, b: Self) -> Self
  static func * (a: Self, b: Float) -> Self
}

extension Lanes16: PlainLanes {
  @inline(__always) init(_ a: SIMD16<Float>) { self.a = a }
  @inline(__always) static func + (a: Self, b: Self) -> Self { Self(cvector_add16(a.a, b.a)) }
  @inline(__always) static func * (a: Self, b: Self) -> Self { Self(cvector_multiply16(a.a, b.a)) }
  @inline(__always) static func * (a: Self, b: Float) -> Self {
    Self(cvector_multiply16(a.a, SIMD16(repeating: b)))
  }
}

extension GroupPair: PlainLanes where First: PlainLanes, Second: PlainLanes {
  @inline(__always) init(_ a: First, _ b: Second) {
    self.a = a
    self.b = b
  }
  @inline(__always) static func + (a: Self, b: Self) -> Self { Self(a.a + b.a, a.b + b.b) }
  @inline(__always) static func * (a: Self, b: Self) -> Self { Self(a.a * b.a, a.b * b.b) }
  @inline(__always) static func * (a: Self, b: Float) -> Self { Self(a.a * b, a.b * b) }
}

struct Pairs16: PairLanes {
  static var byteCount: Int { 64 }
  var sums: SIMD16<Int32>
  @inline(__always) init() { sums = .zero }
  @inline(__always) mutating func add(_ weights: Int32, _ pairs: UnsafeRawPointer) {
    sums = cvector_add_pairs(sums, weights, pairs)
  }
  @inline(__always) var floats: Lanes16 { Lanes16(cvector_floats(sums)) }
}

#if !WITHOUT_AVX512
  /// With one instruction for products and sum, on processors that have it.
  struct DotPairs16: PairLanes {
    static var byteCount: Int { 64 }
    var sums: SIMD16<Int32>
    @inline(__always) init() { sums = .zero }
    @inline(__always) mutating func add(_ weights: Int32, _ pairs: UnsafeRawPointer) {
      sums = cvector_add_pairs_vnni(sums, weights, pairs)
    }
    @inline(__always) var floats: Lanes16 { Lanes16(cvector_floats(sums)) }
  }
#endif

/// Two groups side by side.
struct PairLanesPair<Half: PairLanes>: PairLanes {
  @inline(__always) static var byteCount: Int { 2 * Half.byteCount }
  var a: Half, b: Half
  @inline(__always) init() {
    a = Half()
    b = Half()
  }
  @inline(__always) mutating func add(_ weights: Int32, _ pairs: UnsafeRawPointer) {
    a.add(weights, pairs)
    b.add(weights, pairs + Half.byteCount)
  }
  @inline(__always) var floats: GroupPair<Half.Floats, Half.Floats> { GroupPair(a.floats, b.floats) }
  @inline(__always) static func storeWord(
    _ near: UnsafeRawPointer, _ far: UnsafeRawPointer, _ word: UnsafeMutableRawPointer
  ) {
    Half.storeWord(near, far, word)
    if Half.byteCount == 64 {
      let a: SIMD16<Int32> = vector(near), b: SIMD16<Int32> = vector(far)
      (word + 64).storeBytes(of: cvector_high_side_by_side(a, b), as: SIMD16<Int32>.self)
    } else {
      Half.storeWord(near + Half.voxelByteCount, far + Half.voxelByteCount, word + Half.byteCount)
    }
  }
}

/// Two or four lanes: words of 16 lanes, of which the last hold zeros, so that a slice has the same bits in a narrow
/// block as in a wide one.
struct NarrowPairs<V: SIMD>: PairLanes where V.Scalar == Float {
  static var byteCount: Int { 64 }
  var sums = Pairs16()
  @inline(__always) init() {}
  @inline(__always) mutating func add(_ weights: Int32, _ pairs: UnsafeRawPointer) { sums.add(weights, pairs) }
  @inline(__always) var floats: NarrowFloats<V> { NarrowFloats(sums.floats) }
}

/// The floats of two or four lanes.
struct NarrowFloats<V: SIMD>: PlainLanes where V.Scalar == Float {
  static var byteCount: Int { MemoryLayout<V>.size }
  var all: Lanes16
  @inline(__always) init() { all = Lanes16() }
  @inline(__always) init(_ all: Lanes16) { self.all = all }
  @inline(__always) init(_ address: UnsafeRawPointer) { all = Lanes16(widened(address, V.self)) }
  @inline(__always) func store(_ address: UnsafeMutableRawPointer) {
    for lane in 0..<V.scalarCount { address.storeBytes(of: all.a[lane], toByteOffset: 4 * lane, as: Float.self) }
  }
  @inline(__always) func stream(_ address: UnsafeMutableRawPointer) { store(address) }
  @inline(__always) mutating func add(_ weight: Float, _ lanes: Self) { all.add(weight, lanes.all) }
  @inline(__always) mutating func cutAtZero() { all.cutAtZero() }
  @inline(__always) static func + (a: Self, b: Self) -> Self { Self(a.all + b.all) }
  @inline(__always) static func * (a: Self, b: Self) -> Self { Self(a.all * b.all) }
  @inline(__always) static func * (a: Self, b: Float) -> Self { Self(a.all * b) }
}

/// Some lanes, and zeros.
@inline(__always) private func widened<V: SIMD>(_ address: UnsafeRawPointer, _: V.Type) -> SIMD16<Float>
where V.Scalar == Float {
  var all = SIMD16<Float>()
  for lane in 0..<V.scalarCount { all[lane] = address.load(fromByteOffset: 4 * lane, as: Float.self) }
  return all
}

/// Sixteen lanes of a pixel or bin of a block of `lanes`; zeros where it has fewer.
@inline(__always) func sixteen(_ address: UnsafeRawPointer, of lanes: Int) -> SIMD16<Float> {
  if lanes == 2 { return widened(address, SIMD2<Float>.self) }
  if lanes == 4 { return widened(address, SIMD4<Float>.self) }
  return vector(address)
}

/// The lanes of a block in pieces, *planes*: what is in fixed point is laid out plane by plane. As many planes of the
/// `widest` as there are, then narrower ones, of which two or four lanes fill one of 16 in part.
///
/// Calls `body` with each plane's first lane and width.
@inline(__always) func forEachPlane(lanes: Int, widest: Int, _ body: (_ lane: Int, _ lanes: Int) -> Void) {
  var lane = 0
  while lane < lanes {
    let left = lanes - lane, width = left >= widest ? widest : left >= 32 ? 32 : 16
    body(lane, width)
    lane += width
  }
}

#if WITHOUT_AVX512
  /// Lanes of the widest planes of voxels and of bins: what a stripe or a patch meets stays in the first-level cache.
  let forwardPlaneLanes = 32, backPlaneLanes = 32
#else
  let forwardPlaneLanes = 64, backPlaneLanes = 64
#endif
