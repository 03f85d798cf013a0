import CVector

/// As many slices as the kernels hold in registers at once. A pixel has one or more groups.
protocol LaneGroup {
  static var byteCount: Int { get }
  /// Zeros.
  init()
  init(_ address: UnsafeRawPointer)
  func store(_ address: UnsafeMutableRawPointer)
  /// Stores past the caches, if the group consists of whole cache lines.
  func stream(_ address: UnsafeMutableRawPointer)
  /// self += weight · lanes
  mutating func add(_ weight: Float, _ lanes: Self)
  /// a += weight · lanes and b += other · lanes, with the lanes at `address`, which are loaded once.
  static func add(_ address: UnsafeRawPointer, _ weight: Float, to a: inout Self, _ other: Float, to b: inout Self)
  /// self = max(0, self)
  mutating func cutAtZero()
}

extension LaneGroup {
  @inline(__always) static func add(
    _ address: UnsafeRawPointer, _ weight: Float, to a: inout Self, _ other: Float, to b: inout Self
  ) {
    let lanes = Self(address)
    a.add(weight, lanes)
    b.add(other, lanes)
  }
}

extension SIMD where Scalar == Float {
  /// One rounding where the processor has FMA instructions; without them it would be a call of libm for each lane.
  @inline(__always) mutating func add(_ weight: Float, _ lanes: Self) {
    #if WITHOUT_FMA
      self += weight * lanes
    #else
      addProduct(Self(repeating: weight), lanes)
    #endif
  }

  /// The same with a weight for each lane.
  @inline(__always) mutating func add(_ weights: Self, _ lanes: Self) {
    #if WITHOUT_FMA
      self += weights * lanes
    #else
      addProduct(weights, lanes)
    #endif
  }
}

/// Addresses are multiples of a vector's size: a pixel starts at a multiple of its own size from a page.
@inline(__always) func vector<V: SIMD>(_ address: UnsafeRawPointer, _: V.Type = V.self) -> V {
  address.assumingMemoryBound(to: V.self).pointee
}

struct Lanes4: LaneGroup {
  static var byteCount: Int { 16 }
  var a: SIMD4<Float>
  @inline(__always) init() { a = .zero }
  @inline(__always) init(_ address: UnsafeRawPointer) { a = vector(address) }
  @inline(__always) func store(_ address: UnsafeMutableRawPointer) { address.storeBytes(of: a, as: SIMD4<Float>.self) }
  @inline(__always) func stream(_ address: UnsafeMutableRawPointer) { store(address) }
  @inline(__always) mutating func add(_ weight: Float, _ lanes: Self) { a.add(weight, lanes.a) }
  @inline(__always) mutating func cutAtZero() {
    let bits = unsafeBitCast(a, to: SIMD4<Int32>.self)
    a = unsafeBitCast(bits & ~(bits &>> 31), to: SIMD4<Float>.self)
  }
}

struct Lanes16: LaneGroup {
  static var byteCount: Int { 64 }
  var a: SIMD16<Float>
  @inline(__always) init() { a = .zero }
  @inline(__always) init(_ address: UnsafeRawPointer) { a = vector(address) }
  @inline(__always) func store(_ address: UnsafeMutableRawPointer) { address.storeBytes(of: a, as: SIMD16<Float>.self) }
  @inline(__always) func stream(_ address: UnsafeMutableRawPointer) { cvector_stream16(address, a) }
  @inline(__always) mutating func add(_ weight: Float, _ lanes: Self) { a.add(weight, lanes.a) }
  @inline(__always) mutating func cutAtZero() { a = positive(a) }
}

/// Two groups side by side.
struct GroupPair<First: LaneGroup, Second: LaneGroup>: LaneGroup {
  @inline(__always) static var byteCount: Int { First.byteCount + Second.byteCount }
  var a: First
  var b: Second
  @inline(__always) init() {
    a = First()
    b = Second()
  }
  @inline(__always) init(_ address: UnsafeRawPointer) {
    a = First(address)
    b = Second(address + First.byteCount)
  }
  @inline(__always) func store(_ address: UnsafeMutableRawPointer) {
    a.store(address)
    b.store(address + First.byteCount)
  }
  @inline(__always) func stream(_ address: UnsafeMutableRawPointer) {
    a.stream(address)
    b.stream(address + First.byteCount)
  }
  @inline(__always) mutating func add(_ weight: Float, _ lanes: Self) {
    a.add(weight, lanes.a)
    b.add(weight, lanes.b)
  }
  @inline(__always) mutating func cutAtZero() {
    a.cutAtZero()
    b.cutAtZero()
  }
}

typealias Lanes32 = GroupPair<Lanes16, Lanes16>
typealias Lanes64 = GroupPair<Lanes32, Lanes32>

/// Three groups of 16. With AVX2 the sums of two pixels or rays take twelve of sixteen registers: lanes that two sums
/// share are used 16 after 16, so that three of the others hold them and a weight.
struct Lanes48: LaneGroup {
  static var byteCount: Int { 192 }
  private var low: Lanes32
  private var high: Lanes16
  @inline(__always) init() {
    low = Lanes32()
    high = Lanes16()
  }
  @inline(__always) init(_ address: UnsafeRawPointer) {
    low = Lanes32(address)
    high = Lanes16(address + Lanes32.byteCount)
  }
  @inline(__always) func store(_ address: UnsafeMutableRawPointer) {
    low.store(address)
    high.store(address + Lanes32.byteCount)
  }
  @inline(__always) func stream(_ address: UnsafeMutableRawPointer) {
    low.stream(address)
    high.stream(address + Lanes32.byteCount)
  }
  @inline(__always) mutating func add(_ weight: Float, _ lanes: Self) {
    low.add(weight, lanes.low)
    high.add(weight, lanes.high)
  }
  @inline(__always) static func add(
    _ address: UnsafeRawPointer, _ weight: Float, to a: inout Self, _ other: Float, to b: inout Self
  ) {
    add16(address, weight, to: &a.low.a, other, to: &b.low.a)
    add16(address + 64, weight, to: &a.low.b, other, to: &b.low.b)
    add16(address + 128, weight, to: &a.high, other, to: &b.high)
  }
  @inline(__always) private static func add16(
    _ address: UnsafeRawPointer, _ weight: Float, to a: inout Lanes16, _ other: Float, to b: inout Lanes16
  ) {
    let lanes = Lanes16(address)
    a.add(weight, lanes)
    b.add(other, lanes)
    b.a = cvector_settle16(b.a)
  }
  @inline(__always) mutating func cutAtZero() {
    low.cutAtZero()
    high.cutAtZero()
  }
}

/// The widest group that divides a pixel and whose accumulators fit in the registers of this instruction set; with AVX2
/// 32 lanes before 48, which are as fast and leave registers.
@inline(__always) func groupLanes(_ lanes: Int) -> Int {
  #if WITHOUT_FMA
    let widths = [16]
  #elseif WITHOUT_AVX512
    let widths = [32, 48, 16]
  #else
    let widths = [64, 48, 32, 16]
  #endif
  for width in widths where lanes % width == 0 { return width }
  return 4
}
