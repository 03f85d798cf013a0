import CVector
import KernelTypes

// Two lanes. Four pairs of rays, which is eight bins, go through a band together: at each of its steps they meet pixels
// that lie within a window of sixteen.

/// A tile's pixels with what its rays meet beside it, as rays run: a step of the major axis is a row, and zeros stand
/// outside the slice.
private let stripMargin = 16, stripPitch = Tile.edge + 3 * stripMargin
private let stripByteCount = Tile.edge * stripPitch * TwoLanes.pixelByteCount
/// Angles that go through a tile together, band by band.
private let raysPerGroup = 12

/// `forward` for two lanes.
func forwardTwoLanes(
  volume: UnsafeRawPointer, sinogram: UnsafeMutableRawPointer, rays: UnsafeBufferPointer<Ray>, shape: KernelShape
) {
  let byteCount = stripByteCount + raysPerGroup * (TwoLanesSteps.byteCount + TwoLanesEntries.byteCount)
  withUnsafeTemporaryAllocation(byteCount: byteCount, alignment: 64) { memory in
    TwoLanesForwardJob(volume: volume, sinogram: sinogram, rays: rays, shape: shape, strip: memory.baseAddress!).run()
  }
}

private struct TwoLanesForwardJob {
  let volume: UnsafeRawPointer
  let sinogram: UnsafeMutableRawPointer
  let rays: UnsafeBufferPointer<Ray>
  let shape: KernelShape
  let strip: UnsafeMutableRawPointer

  func run() {
    let bins = shape.usedPairs.lowerBound * 2..<min(shape.usedPairs.upperBound * 2, shape.columns + 1)
    clear(bins)
    for row in stride(from: 0, to: shape.columns, by: Tile.edge) {
      for column in stride(from: 0, to: shape.columns, by: Tile.edge) {
        if !isLeftOut(column: column, row: row, shape) { tile(column: column, row: row) }
      }
    }
    // An odd last bin shares its pair with the first bin of the margin.
    if bins.upperBound >= shape.columns { clear(shape.columns..<shape.columns + 1) }
  }

  private func clear(_ bins: Range<Int>) {
    for ray in rays {
      (row(ray) + bins.lowerBound * TwoLanes.pixelByteCount).initializeMemory(
        as: UInt8.self, repeating: 0, count: bins.count * TwoLanes.pixelByteCount)
    }
  }

  private func tile(column: Int, row: Int) {
    var first = 0
    while first < rays.count {
      let isSwapped = rays[first].isSwapped
      fill(column: column, row: row, isSwapped: isSwapped)
      while first < rays.count && rays[first].isSwapped == isSwapped {
        var end = first + 1
        while end < rays.count && end - first < raysPerGroup && rays[end].isSwapped == isSwapped { end += 1 }
        project(first, end, minor: isSwapped ? row : column, major: isSwapped ? column : row)
        first = end
      }
    }
  }

  private func row(_ ray: Ray) -> UnsafeMutableRawPointer {
    sinogram + ray.slot * shape.sinogramPitch * TwoLanes.pixelByteCount
  }

  /// Copies the tile and `tileReach` pixels on each side along the minor axis into the strip.
  private func fill(column: Int, row: Int, isSwapped: Bool) {
    let columns = shape.columns
    let minor = isSwapped ? row : column, major = isSwapped ? column : row
    let first = max(0, minor - tileReach), end = min(columns, minor + Tile.edge + tileReach)
    let length = min(Tile.edge, columns - major)
    if first > minor - tileReach || end < minor + Tile.edge + tileReach || length < Tile.edge {
      strip.initializeMemory(as: UInt8.self, repeating: 0, count: stripByteCount)
    }
    let target = strip + (first - minor + stripMargin) * TwoLanes.pixelByteCount
    if isSwapped {
      for index in first..<end {
        let source = (volume + (index * shape.volumePitch + major) * TwoLanes.pixelByteCount)
          .assumingMemoryBound(to: UInt64.self)
        let line = target + (index - first) * TwoLanes.pixelByteCount
        for step in 0..<length {
          line.storeBytes(of: source[step], toByteOffset: step * stripPitch * TwoLanes.pixelByteCount, as: UInt64.self)
        }
      }
    } else {
      for step in 0..<length {
        let source = volume + ((major + step) * shape.volumePitch + first) * TwoLanes.pixelByteCount
        (target + step * stripPitch * TwoLanes.pixelByteCount).copyMemory(
          from: source, byteCount: (end - first) * TwoLanes.pixelByteCount)
      }
    }
  }

  private func steps(_ index: Int) -> TwoLanesSteps {
    TwoLanesSteps(strip + (stripByteCount + index * TwoLanesSteps.byteCount))
  }

  private func entries(_ index: Int) -> TwoLanesEntries {
    TwoLanesEntries(
      strip + (stripByteCount + raysPerGroup * TwoLanesSteps.byteCount + index * TwoLanesEntries.byteCount))
  }

  /// Adds what some rays of a kind meet in the tile to their bins. Where they enter a band is computed for all of them
  /// first, because it takes long and everything else waits for it.
  @inline(__always) private func project(_ first: Int, _ end: Int, minor: Int, major: Int) {
    // Rays may enter a band from outside the slice, but never from farther than the band is high.
    let from = minor == 0 ? -bandSteps : minor
    let to = minor + Tile.edge >= shape.columns ? shape.columns + bandSteps : minor + Tile.edge
    for number in first..<end { steps(number - first).prepare(rays.baseAddress! + number) }
    for band in stride(from: major, to: min(major + Tile.edge, shape.columns), by: bandSteps) {
      let middle = Double(band) + 0.5 * Double(bandSteps - 1)
      for number in first..<end {
        let ray = rays.baseAddress! + number
        let start = pairIndex(ray, minor: from, middle), stop = pairIndex(ray, minor: to, middle)
        let lower = max(shape.usedPairs.lowerBound, min(start, stop))
        let upper = max(lower, min(shape.usedPairs.upperBound, max(start, stop)))
        entries(number - first).prepare(ray, lower, upper, band: band)
      }
      let line = UnsafeRawPointer(strip + ((band - major) * stripPitch + stripMargin - minor) * TwoLanes.pixelByteCount)
      for number in first..<end {
        add(rays.baseAddress! + number, steps(number - first), entries(number - first), line)
      }
    }
  }

  /// Adds what the pairs of one angle meet in a band. `line` is position 0 on the minor axis in its first step.
  @inline(__always) private func add(
    _ ray: UnsafePointer<Ray>, _ steps: TwoLanesSteps, _ entries: TwoLanesEntries, _ line: UnsafeRawPointer
  ) {
    let lowestPair = ray.pointee.inverse > 0 ? 0 : 3
    var rest = entries.count, index = 0
    var bins = row(ray.pointee) + 2 * entries.lower * TwoLanes.pixelByteCount
    while rest > 0 {
      let count = 2 * min(4, rest)
      let group = TwoLanesGroup(
        entries, index, lowest: entries.pixel(index + lowestPair), line, steps, weight: ray.pointee.weight)
      var sums = loadPixels(bins, count)
      group.add(0, &sums)
      group.add(1, &sums)
      group.add(2, &sums)
      group.add(3, &sums)
      storePixels(sums, bins, count)
      bins += 8 * TwoLanes.pixelByteCount
      index += 4
      rest -= 4
    }
  }
}

/// Where pairs of rays of one angle enter a band.
///
/// ```
///   0   first pair, number of pairs     int64
///  64   pixels                          int32: `pairsMax`
/// 192   fractions of a pixel            float32: `pairsMax`
/// ```
private struct TwoLanesEntries {
  /// A tile's rays span three bands at most beside its 32 pixels, and neighbours lie a pixel apart or more.
  private static var pairsMax: Int { 32 }
  static var byteCount: Int { 64 + 2 * 4 * pairsMax }
  let memory: UnsafeMutableRawPointer

  @inline(__always) init(_ memory: UnsafeMutableRawPointer) { self.memory = memory }

  /// Of fewer pairs than a multiple of four the last one is repeated.
  @inline(__always) func prepare(_ ray: UnsafePointer<Ray>, _ lower: Int, _ upper: Int, band: Int) {
    memory.storeBytes(of: lower, as: Int.self)
    memory.storeBytes(of: upper - lower, toByteOffset: 8, as: Int.self)
    let inverse = ray.pointee.inverse, start = Double(band) * ray.pointee.drift + ray.pointee.start
    let last = SIMD8(repeating: Double(2 * (upper - 1)))
    var pair = lower
    while pair < upper {
      let number = cvector_smaller8(SIMD8(repeating: Double(2 * pair)) + SIMD8(0, 2, 4, 6, 8, 10, 12, 14), last)
      let position = number * inverse + start
      let base = cvector_floor8(position)
      memory.storeBytes(of: cvector_integers8(base), toByteOffset: 64 + 4 * (pair - lower), as: SIMD8<Int32>.self)
      memory.storeBytes(
        of: cvector_narrow8(position - base), toByteOffset: 64 + 4 * (Self.pairsMax + pair - lower),
        as: SIMD8<Float>.self)
      pair += 8
    }
  }

  var lower: Int { memory.load(as: Int.self) }
  var count: Int { memory.load(fromByteOffset: 8, as: Int.self) }
  @inline(__always) func pixel(_ index: Int) -> Int32 { memory.load(fromByteOffset: 64 + 4 * index, as: Int32.self) }
  /// Of four pairs.
  @inline(__always) func pixels(_ index: Int) -> SIMD4<Int32> { vector(memory + 64 + 4 * index) }
  @inline(__always) func fractions(_ index: Int) -> SIMD4<Float> { vector(memory + 64 + 4 * (Self.pairsMax + index)) }
}

/// The steps of an angle's rays through any band, relative to where a pair of rays enters it.
///
/// ```
///   0   positions       [part][2 steps][4 pairs][ray]  float32: four vectors
/// 256   window starts   [part][2 steps][4 pairs][ray]  int32, with `roundingBias`
/// 512   windows         [step]                         int64: bytes from the lowest ray's pixel
/// ```
private struct TwoLanesSteps {
  static var byteCount: Int { 512 + bandSteps * 8 }
  let memory: UnsafeMutableRawPointer

  @inline(__always) init(_ memory: UnsafeMutableRawPointer) { self.memory = memory }

  @inline(__always) func prepare(_ ray: UnsafePointer<Ray>) {
    let offsets = ray.pointee.offsets
    // A window begins a pixel before the lowest ray: rounding may place that one too low.
    let floors = split(offsets).floor &- 1
    let starts = ray.pointee.inverse > 0 ? cvector_both(floors, 0) : cvector_both(floors, 1)
    for step in 0..<bandSteps {
      let window = (step * stripPitch + Int(starts[2 * step])) * TwoLanes.pixelByteCount
      memory.storeBytes(of: window, toByteOffset: 512 + 8 * step, as: Int.self)
    }
    let places = floats(starts &+ Int32(bitPattern: roundingBias.bitPattern))
    for part in 0..<4 {
      let number = Int32(truncatingIfNeeded: part)
      memory.storeBytes(of: cvector_steps(offsets, number), toByteOffset: 64 * part, as: Vector.self)
      memory.storeBytes(of: cvector_steps(places, number), toByteOffset: 256 + 64 * part, as: Vector.self)
    }
  }

  @inline(__always) func positions(_ part: Int) -> Vector { vector(memory + 64 * part) }
  @inline(__always) func starts(_ part: Int) -> Indices { vector(memory + 256 + 64 * part) }
  @inline(__always) func window(_ step: Int) -> Int { memory.load(fromByteOffset: 512 + 8 * step, as: Int.self) }
}

/// Four pairs of rays in a band.
private struct TwoLanesGroup {
  /// The lowest ray's pixel in the band's first step.
  let start: UnsafeRawPointer
  let steps: TwoLanesSteps
  let weight: Float
  /// Of each pair's position, and its pixel's distance from the lowest.
  let fractions: Vector
  let distances: Indices

  @inline(__always) init(
    _ entries: TwoLanesEntries, _ index: Int, lowest: Int32, _ line: UnsafeRawPointer, _ steps: TwoLanesSteps,
    weight: Float
  ) {
    start = line + Int(lowest) * TwoLanes.pixelByteCount
    self.steps = steps
    self.weight = weight
    fractions = cvector_pairs(entries.fractions(index))
    distances = integers(cvector_pairs(unsafeBitCast(entries.pixels(index) &- lowest, to: SIMD4<Float>.self)))
  }

  /// Adds two steps.
  @inline(__always) func add(_ part: Int, _ sums: inout Vector) {
    let position = steps.positions(part) + fractions
    let rounded = cvector_whole((position - 0.5) + roundingBias)
    let upper = cvector_whole((position - (rounded - roundingBias)) * weight)
    let places = (integers(rounded) &- steps.starts(part)) &+ distances
    for step in 0..<2 {
      let weights = cvector_whole(cvector_twice(upper, Int32(truncatingIfNeeded: step)))
      let (pixels, next) = TwoLanesWindow(start + steps.window(2 * part + step)).pick(places, step: step)
      sums.add(weight - weights, pixels)
      sums.add(weights, next)
    }
  }
}
