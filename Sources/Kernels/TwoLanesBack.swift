import CVector
import KernelTypes

// Two lanes. A patch is four vectors of sums, each of eight pixels along their pairs: `[pixel][lane]`, the lower one of
// each pair first. All bins that it touches lie within a window of sixteen.

/// Angles that go over a tile together.
private let anglesPerPass = 96
/// For each angle of a pass: what the kernel reads, cosine, sine and origin, and where the patch at hand lies.
private let anglesByteCount = anglesPerPass * (MemoryLayout<TwoLanesAngle>.stride + 3 * 8 + 2 * 4)
/// Bytes that `backTwoLanes` needs beside the tile.
let backTwoLanesByteCount = anglesByteCount + TwoLanesWindow.byteCount

/// `backTile` for two lanes.
func backTwoLanes(
  _ tile: Tile, buffer: UnsafeMutableRawPointer, sinogram: UnsafeRawPointer, angles: UnsafeBufferPointer<BackAngle>,
  shape: KernelShape, memory: UnsafeMutableRawPointer, target: TileTarget
) {
  TwoLanesBackJob(
    tile: tile, buffer: buffer, sinogram: sinogram, angles: angles, shape: shape, memory: memory, target: target
  ).run()
}

/// An angle's numbers that all patches share.
private struct TwoLanesAngle {
  let weight: Float, slope: Float, step: Float
  /// weight − slope and weight − 2 · slope
  let second: Float, third: Float
  /// First bin of the window relative to that of the patch's corner, with and without `roundingBias`.
  let start: Int32, biasedStart: Int32
  let isRising: Bool
  /// Bin 0 of its projection.
  let bins: UnsafeRawPointer
}

private struct TwoLanesBackJob {
  let tile: Tile
  let buffer: UnsafeMutableRawPointer
  let sinogram: UnsafeRawPointer
  let angles: UnsafeBufferPointer<BackAngle>
  let shape: KernelShape
  let target: TileTarget
  let numbers: UnsafeMutablePointer<TwoLanesAngle>
  let cosines: UnsafeMutablePointer<Double>, sines: UnsafeMutablePointer<Double>, origins: UnsafeMutablePointer<Double>
  /// Bin of the patch's corner: integer and fractional part.
  let bases: UnsafeMutablePointer<Int32>, fractions: UnsafeMutablePointer<Float>
  let edge: UnsafeMutableRawPointer

  init(
    tile: Tile, buffer: UnsafeMutableRawPointer, sinogram: UnsafeRawPointer, angles: UnsafeBufferPointer<BackAngle>,
    shape: KernelShape, memory: UnsafeMutableRawPointer, target: TileTarget
  ) {
    (self.tile, self.buffer, self.sinogram) = (tile, buffer, sinogram)
    (self.angles, self.shape, self.target) = (angles, shape, target)
    edge = memory
    cosines = (edge + TwoLanesWindow.byteCount).assumingMemoryBound(to: Double.self)
    sines = cosines + anglesPerPass
    origins = sines + anglesPerPass
    bases = UnsafeMutableRawPointer(origins + anglesPerPass).assumingMemoryBound(to: Int32.self)
    fractions = UnsafeMutableRawPointer(bases + anglesPerPass).assumingMemoryBound(to: Float.self)
    numbers = UnsafeMutableRawPointer(fractions + anglesPerPass).assumingMemoryBound(to: TwoLanesAngle.self)
  }

  func run() {
    var first = 0
    while first < angles.count {
      let isSwapped = angles[first].isSwapped
      var end = first
      while end < angles.count && end - first < anglesPerPass && angles[end].isSwapped == isSwapped {
        take(angles.baseAddress! + end, end - first)
        end += 1
      }
      pass(first, end)
      first = end
    }
    if !target.keepsSums { finish() }
  }

  @inline(__always) private func take(_ angle: UnsafePointer<BackAngle>, _ index: Int) {
    let weight = angle.pointee.weight, slope = angle.pointee.slope, offsets = angle.pointee.offsets
    cosines[index] = angle.pointee.cosine
    sines[index] = angle.pointee.sine
    origins[index] = angle.pointee.origin
    // The lower pixels' corners; a bin less, because rounding may place a pixel too low.
    let lowest = min(min(offsets[0], offsets[3]), min(offsets[12], offsets[15]))
    let start = Int32(lowest.rounded(.down)) &- 1
    (numbers + index).initialize(
      to: TwoLanesAngle(
        weight: weight, slope: slope, step: angle.pointee.step, second: weight - slope, third: weight - (slope + slope),
        start: start, biasedStart: start &+ Int32(bitPattern: roundingBias.bitPattern),
        isRising: angle.pointee.isRising,
        bins: sinogram + angle.pointee.slot * shape.sinogramPitch * TwoLanes.pixelByteCount))
  }

  /// All patches of the tile, those across the pairs first: that way they move little on the detector.
  @inline(__always) private func pass(_ first: Int, _ end: Int) {
    let isSwapped = angles[first].isSwapped
    let length = isSwapped ? tile.height : tile.width, width = isSwapped ? tile.width : tile.height
    for along in stride(from: 0, to: length, by: patchLength) {
      for across in stride(from: 0, to: width, by: patchWidth) {
        accumulate(first, end, column: isSwapped ? across : along, row: isSwapped ? along : across)
      }
    }
  }

  /// Bins of the patch's corner at all angles of the pass.
  @inline(__always) private func place(_ count: Int, column: Int, row: Int) {
    let x = Double(tile.column + column), y = Double(tile.row + row)
    var index = 0
    while index < count {
      let cosine = eight(cosines + index), sine = eight(sines + index), origin = eight(origins + index)
      let corner = x * cosine - y * sine + origin
      let base = cvector_floor8(corner)
      UnsafeMutableRawPointer(bases + index).storeBytes(of: cvector_integers8(base), as: SIMD8<Int32>.self)
      UnsafeMutableRawPointer(fractions + index).storeBytes(of: cvector_narrow8(corner - base), as: SIMD8<Float>.self)
      index += 8
    }
  }

  @inline(__always) private func eight(_ address: UnsafePointer<Double>) -> SIMD8<Double> {
    UnsafeRawPointer(address).loadUnaligned(as: SIMD8<Double>.self)
  }

  /// Adds some angles to a patch. The first start from nothing.
  @inline(__always) private func accumulate(_ first: Int, _ end: Int, column: Int, row: Int) {
    let isSwapped = angles[first].isSwapped
    var isRising = numbers.pointee.isRising
    place(end - first, column: column, row: row)
    let patch = TwoLanesPatch(
      start: buffer + (row * Tile.pitch + column) * TwoLanes.pixelByteCount, isSwapped: isSwapped)
    var a = Vector.zero, b = Vector.zero, c = Vector.zero, d = Vector.zero
    if first > 0 { patch.load(&a, &b, &c, &d, isRising: isRising) }
    for index in 0..<end - first {
      let angle = numbers + index
      if angle.pointee.isRising != isRising {
        isRising.toggle()
        exchange(&a, &b, &c, &d)
      }
      let start = Int(bases[index] &+ angle.pointee.start)
      // Bins outside the detector are zeros.
      guard start > -TwoLanesWindow.count && start < shape.columns else { continue }
      let taps = TwoLanesTaps(angle, offsets: angles[first + index].offsets, fraction: fractions[index])
      let isInside = start >= -sinogramMargin && start + TwoLanesWindow.count <= shape.columns + sinogramMargin
      let window = TwoLanesWindow(
        isInside ? angle.pointee.bins + start * TwoLanes.pixelByteCount : cut(angle.pointee.bins, start))
      taps.add(window, 0, &a)
      taps.add(window, 1, &b)
      taps.add(window, 2, &c)
      taps.add(window, 3, &d)
    }
    patch.store(a, b, c, d, isRising: isRising)
  }

  /// A window that reaches beyond the detector, with zeros there.
  @inline(never) private func cut(_ bins: UnsafeRawPointer, _ start: Int) -> UnsafeRawPointer {
    edge.initializeMemory(as: UInt8.self, repeating: 0, count: TwoLanesWindow.byteCount)
    let first = max(0, start), end = min(shape.columns, start + TwoLanesWindow.count)
    (edge + (first - start) * TwoLanes.pixelByteCount).copyMemory(
      from: bins + first * TwoLanes.pixelByteCount, byteCount: (end - first) * TwoLanes.pixelByteCount)
    return UnsafeRawPointer(edge)
  }

  /// Hands the sums to the target. Patches may reach beyond the slice; what lies there is dropped.
  private func finish() {
    for row in 0..<tile.height {
      let sums = buffer + row * Tile.pitch * TwoLanes.pixelByteCount
      let start = ((tile.row + row) * shape.volumePitch + tile.column) * TwoLanes.pixelByteCount
      guard let update = target.update else {
        (target.next + start).copyMemory(from: sums, byteCount: tile.width * TwoLanes.pixelByteCount)
        continue
      }
      let scales = UnsafeRawPointer(update.scales + ((tile.row + row) * update.scalesPitch + tile.column))
      for column in stride(from: 0, to: tile.width, by: TwoLanes.pixelsPerVector) {
        let count = min(TwoLanes.pixelsPerVector, tile.width - column), offset = column * TwoLanes.pixelByteCount
        let scale = cvector_twice8(scales.loadUnaligned(fromByteOffset: column * 4, as: SIMD8<Float>.self))
        let old = loadPixels(update.x + start + offset, count)
        var value = old
        value.add(scale, eightPixels(sums + offset))
        if update.isNonNegative { value = positive(value) }
        // All bits of a pixel whose scale is not zero.
        let takesPart = (integers(scale) | (0 &- integers(scale))) &>> 31
        value = floats((integers(value) & takesPart) | (integers(old) & ~takesPart))
        storePixels(value, target.next + start + offset, count)
      }
    }
  }
}

/// The lower and the upper pixel of all pairs change places.
@inline(__always) private func exchange(_ a: inout Vector, _ b: inout Vector, _ c: inout Vector, _ d: inout Vector) {
  a = cvector_exchange(a)
  b = cvector_exchange(b)
  c = cvector_exchange(c)
  d = cvector_exchange(d)
}

/// Eight pixels along their pairs and four across them in a tile's buffer.
private struct TwoLanesPatch {
  let start: UnsafeMutableRawPointer
  let isSwapped: Bool

  @inline(__always) func load(
    _ a: inout Vector, _ b: inout Vector, _ c: inout Vector, _ d: inout Vector, isRising: Bool
  ) {
    if isSwapped {
      (a, b, c, d) = (rows(0), rows(2), rows(4), rows(6))
      transpose(&a, &b, &c, &d)
    } else {
      (a, b, c, d) = (eightPixels(line(0)), eightPixels(line(1)), eightPixels(line(2)), eightPixels(line(3)))
    }
    if !isRising { exchange(&a, &b, &c, &d) }
  }

  @inline(__always) func store(_ a: Vector, _ b: Vector, _ c: Vector, _ d: Vector, isRising: Bool) {
    var (a, b, c, d) = (a, b, c, d)
    if !isRising { exchange(&a, &b, &c, &d) }
    if isSwapped {
      transposeBack(&a, &b, &c, &d)
      setRows(0, a)
      setRows(2, b)
      setRows(4, c)
      setRows(6, d)
    } else {
      line(0).storeBytes(of: a, as: Vector.self)
      line(1).storeBytes(of: b, as: Vector.self)
      line(2).storeBytes(of: c, as: Vector.self)
      line(3).storeBytes(of: d, as: Vector.self)
    }
  }

  @inline(__always) private func line(_ number: Int) -> UnsafeMutableRawPointer {
    start + number * Tile.pitch * TwoLanes.pixelByteCount
  }

  /// Four pixels of two rows.
  @inline(__always) private func rows(_ number: Int) -> Vector {
    Vector(
      lowHalf: line(number).loadUnaligned(as: SIMD8<Float>.self),
      highHalf: line(number + 1).loadUnaligned(as: SIMD8<Float>.self))
  }

  @inline(__always) private func setRows(_ number: Int, _ pixels: Vector) {
    line(number).storeBytes(of: pixels.lowHalf, as: SIMD8<Float>.self)
    line(number + 1).storeBytes(of: pixels.highHalf, as: SIMD8<Float>.self)
  }

  /// From two rows of four pixels a vector to one column of eight a vector.
  @inline(__always) private func transpose(_ a: inout Vector, _ b: inout Vector, _ c: inout Vector, _ d: inout Vector) {
    let upperLeft = cvector_first_columns(a, b), upperRight = cvector_last_columns(a, b)
    let lowerLeft = cvector_first_columns(c, d), lowerRight = cvector_last_columns(c, d)
    (a, b) = exchangeHalves(upperLeft, lowerLeft)
    (c, d) = exchangeHalves(upperRight, lowerRight)
  }

  @inline(__always) private func transposeBack(
    _ a: inout Vector, _ b: inout Vector, _ c: inout Vector, _ d: inout Vector
  ) {
    let (upperLeft, lowerLeft) = exchangeHalves(a, b), (upperRight, lowerRight) = exchangeHalves(c, d)
    (a, b) = (cvector_first_columns(upperLeft, upperRight), cvector_last_columns(upperLeft, upperRight))
    (c, d) = (cvector_first_columns(lowerLeft, lowerRight), cvector_last_columns(lowerLeft, lowerRight))
  }

  @inline(__always) private func exchangeHalves(_ a: Vector, _ b: Vector) -> (Vector, Vector) {
    (Vector(lowHalf: a.lowHalf, highHalf: b.lowHalf), Vector(lowHalf: a.highHalf, highHalf: b.highHalf))
  }
}

/// Weights of 16 pairs at one angle and their places in its window: the lower pixel of a pair touches the first and
/// second bin, the upper one the second and third.
private struct TwoLanesTaps {
  let lowerFirst: Vector, lowerSecond: Vector, upperFirst: Vector, upperSecond: Vector
  let places: Indices

  @inline(__always) init(_ angle: UnsafePointer<TwoLanesAngle>, offsets: Vector, fraction: Float) {
    let weight = angle.pointee.weight, slope = angle.pointee.slope
    let position = offsets + fraction
    let rounded = (position - 0.5) + roundingBias
    places = integers(rounded) &- angle.pointee.biasedStart
    let near = position - (rounded - roundingBias), far = near + angle.pointee.step
    lowerFirst = cvector_positive16(weight - near * slope)
    lowerSecond = cvector_positive16(angle.pointee.second + near * slope)
    upperFirst = cvector_positive16(weight - magnitude(far - 1) * slope)
    upperSecond = cvector_positive16(angle.pointee.third + far * slope)
  }

  @inline(__always) func add(_ window: TwoLanesWindow, _ line: Int, _ sums: inout Vector) {
    let (first, second) = window.pickPairs(places, line: line), line = Int32(truncatingIfNeeded: line)
    sums.add(cvector_interleave(lowerFirst, upperFirst, line), first)
    sums.add(cvector_interleave(lowerSecond, upperSecond, line), second)
  }
}
