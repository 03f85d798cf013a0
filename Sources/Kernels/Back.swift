import CVector
package import KernelTypes

/// Angles that are accumulated in registers before a pixel is stored again: their bins for a patch stay in the
/// first-level cache.
private let anglesPerPass = 12
/// Pixels of a patch along its pairs and across them: 16 pairs, whose taps are built together.
let patchLength = 8, patchWidth = 4
/// Taps of 16 pairs and one angle: four weights and the offset of the first bin, in units of 16 bytes, each 16 × 4
/// bytes.
private let tapByteCount = 5 * 64
/// Bytes that `backTile` needs for taps.
package let backTapsByteCount = max(anglesPerPass * tapByteCount, backTwoLanesByteCount)

/// Backprojects `angles` (at least one) to a tile and writes it to `target`.
///
/// `sinogram` is bin 0 of slot 0 of a block, `buffer` holds the tile's sums between passes, `taps` are
/// `backTapsByteCount` bytes at a multiple of 64. Swapped angles stand together, as do the others, and of either the
/// rising ones come first. A pixel's sum runs over the angles in their order, whatever the lanes and the tile.
package func backTile(
  _ tile: Tile, buffer: UnsafeMutableRawPointer, sinogram: UnsafeRawPointer, angles: UnsafeBufferPointer<BackAngle>,
  shape: KernelShape, taps: UnsafeMutableRawPointer, target: TileTarget
) {
  guard shape.lanes != 2 else {
    return backTwoLanes(
      tile, buffer: buffer, sinogram: sinogram, angles: angles, shape: shape, memory: taps, target: target)
  }
  var job = BackJob(
    tile: tile, buffer: buffer, sinogram: sinogram, angles: angles, shape: shape, taps: taps, target: target)
  switch groupLanes(shape.lanes) {
  case 64: job.run(Lanes64.self)
  case 48: job.run(Lanes48.self)
  case 32: job.run(Lanes32.self)
  case 16: job.run(Lanes16.self)
  default: job.run(Lanes4.self)
  }
  if let update = target.update, update.streams { cvector_stream_end() }
}

/// Where the pass that begins with angle `first` ends: angles of one kind are shared evenly among as few passes of
/// `most` as they need.
func passEnd(_ angles: UnsafeBufferPointer<BackAngle>, from first: Int, atMost most: Int) -> Int {
  var end = first + 1
  while end < angles.count && angles[end].isSwapped == angles[first].isSwapped { end += 1 }
  let passes = (end - first + most - 1) / most
  return first + (end - first + passes - 1) / passes
}

/// Passes of all angles.
func passCount(_ angles: UnsafeBufferPointer<BackAngle>, atMost most: Int) -> Int {
  var count = 0, first = 0
  while first < angles.count {
    first = passEnd(angles, from: first, atMost: most)
    count += 1
  }
  return count
}

private struct BackJob {
  let tile: Tile
  let buffer: UnsafeMutableRawPointer
  let sinogram: UnsafeRawPointer
  let angles: UnsafeBufferPointer<BackAngle>
  let shape: KernelShape
  let taps: UnsafeMutableRawPointer
  let target: TileTarget
  var nextTile: NextTilePrefetch

  init(
    tile: Tile, buffer: UnsafeMutableRawPointer, sinogram: UnsafeRawPointer, angles: UnsafeBufferPointer<BackAngle>,
    shape: KernelShape, taps: UnsafeMutableRawPointer, target: TileTarget
  ) {
    self.tile = tile
    self.buffer = buffer
    self.sinogram = sinogram
    self.angles = angles
    self.shape = shape
    self.taps = taps
    self.target = target
    let passes = passCount(angles, atMost: anglesPerPass)
    nextTile = NextTilePrefetch(after: tile, target: target, passes: passes, shape: shape)
  }

  @inline(__always) mutating func run<Group: LaneGroup>(_: Group.Type) {
    var first = 0
    while first < angles.count {
      let end = passEnd(angles, from: first, atMost: anglesPerPass)
      pass(first, end, Group.self)
      first = end
    }
  }

  /// All patches of the tile, those across the pairs first: that way they move little on the detector.
  @inline(__always) mutating func pass<Group: LaneGroup>(_ first: Int, _ end: Int, _: Group.Type) {
    let isSwapped = angles[first].isSwapped
    var falling = first
    while falling < end && angles[falling].isRising { falling += 1 }
    let length = isSwapped ? tile.height : tile.width, width = isSwapped ? tile.width : tile.height
    var along = 0
    while along < length {
      var across = 0
      while across < width {
        let column = isSwapped ? across : along, row = isSwapped ? along : across
        buildTaps(first, end, column: column, row: row)
        if Group.self == Lanes4.self {
          accumulateFourLanes(first, falling, end, column: column, row: row)
        } else {
          accumulate(first, falling, end, column: column, row: row, Group.self)
        }
        across += patchWidth
      }
      along += patchLength
    }
  }

  /// The lower pixel of a pair touches the first and second bin, the upper one the second and third.
  @inline(__always) func buildTaps(_ first: Int, _ end: Int, column: Int, row: Int) {
    let unitsPerPixel = Int32(truncatingIfNeeded: shape.lanes / 4)
    let last = Int32(truncatingIfNeeded: shape.columns + sinogramMargin)
    let x = Double(tile.column + column), y = Double(tile.row + row)
    var tap = taps
    for number in first..<end {
      let angle = angles.baseAddress! + number
      let weight = angle.pointee.weight, slope = angle.pointee.slope
      let slotBin = Int32(truncatingIfNeeded: angle.pointee.slot * shape.sinogramPitch - sinogramMargin)
      let corner = x * angle.pointee.cosine - y * angle.pointee.sine + angle.pointee.origin
      let base = corner.rounded(.down)
      let (floor, lower) = split(angle.pointee.offsets + Float(corner - base))
      let bin = cvector_clamp16(floor &+ Int32(truncatingIfNeeded: Int(base) + sinogramMargin), last)
      let upper = lower + angle.pointee.step
      tap.storeBytes(of: cvector_positive16(weight - lower * slope), as: Vector.self)
      tap.storeBytes(of: cvector_positive16((weight - slope) + lower * slope), toByteOffset: 64, as: Vector.self)
      tap.storeBytes(of: cvector_positive16(weight - magnitude(upper - 1) * slope), toByteOffset: 128, as: Vector.self)
      tap.storeBytes(
        of: cvector_positive16((weight - (slope + slope)) + upper * slope), toByteOffset: 192, as: Vector.self)
      tap.storeBytes(of: (bin &+ slotBin) &* unitsPerPixel, toByteOffset: 256, as: Indices.self)
      tap += tapByteCount
    }
  }

  /// Adds some angles to a patch, those before `falling` rising. The first start from nothing, the last hand their sums
  /// to the target.
  @inline(__always) mutating func accumulate<Group: LaneGroup>(
    _ first: Int, _ falling: Int, _ end: Int, column: Int, row: Int, _: Group.Type
  ) {
    let pixel = shape.pixelByteCount
    let isSwapped = angles[first].isSwapped
    let isFirst = first == 0, isLast = end == angles.count && !target.keepsSums
    let right = isSwapped ? 0 : 1, below = 1 - right
    for pair in 0..<16 {
      let x = column + (isSwapped ? pair >> 2 : (pair & 3) * 2), y = row + (isSwapped ? (pair & 3) * 2 : pair >> 2)
      let near = buffer + (y * Tile.pitch + x) * pixel, far = near + (below * Tile.pitch + right) * pixel
      nextTile.fetch()
      var lane = 0
      while lane < pixel {
        var a = Group(), b = Group()
        if !isFirst {
          a = Group(near + lane)
          b = Group(far + lane)
        }
        add(pair, 0..<falling - first, lane, lower: &a, upper: &b)
        add(pair, falling - first..<end - first, lane, lower: &b, upper: &a)
        if isLast {
          finish(a, x, y, lane)
          finish(b, x + right, y + below, lane)
        } else {
          a.store(near + lane)
          b.store(far + lane)
        }
        lane += Group.byteCount
      }
    }
  }

  /// One pair and some angles of a pass.
  @inline(__always) func add<Group: LaneGroup>(
    _ pair: Int, _ numbers: Range<Int>, _ lane: Int, lower a: inout Group, upper b: inout Group
  ) {
    let pixel = shape.pixelByteCount, bins = sinogram + lane
    var tap = UnsafeRawPointer(taps + pair * 4 + numbers.lowerBound * tapByteCount)
    let end = UnsafeRawPointer(taps + pair * 4 + numbers.upperBound * tapByteCount)
    while tap < end {
      let first = cvector_address(bins + 16 * Int(tap.load(fromByteOffset: 256, as: Int32.self)))!
      let second = cvector_address(first + pixel)!, third = cvector_address(second + pixel)!
      a.add(tap.load(as: Float.self), Group(first))
      Group.add(
        second, tap.load(fromByteOffset: 64, as: Float.self), to: &a, tap.load(fromByteOffset: 128, as: Float.self),
        to: &b)
      b.add(tap.load(fromByteOffset: 192, as: Float.self), Group(third))
      tap += tapByteCount
    }
  }

  /// The same with four lanes: four pairs, neighbours along their axis, at once.
  @inline(__always) mutating func accumulateFourLanes(_ first: Int, _ falling: Int, _ end: Int, column: Int, row: Int) {
    let pixel = shape.pixelByteCount
    let isSwapped = angles[first].isSwapped
    let isFirst = first == 0, isLast = end == angles.count && !target.keepsSums
    let right = isSwapped ? 0 : 1, below = 1 - right
    let step = (below * Tile.pitch + right) * pixel
    for line in 0..<4 {
      let x = column + (isSwapped ? line : 0), y = row + (isSwapped ? 0 : line)
      let near = buffer + (y * Tile.pitch + x) * pixel, far = near + step
      for _ in 0..<4 { nextTile.fetch() }
      var a = Vector.zero, b = Vector.zero
      if !isFirst {
        a = gather(near, near + 2 * step, near + 4 * step, near + 6 * step)
        b = gather(far, far + 2 * step, far + 4 * step, far + 6 * step)
      }
      addFourLanes(line, 0..<falling - first, lower: &a, upper: &b)
      addFourLanes(line, falling - first..<end - first, lower: &b, upper: &a)
      scatter(a, near, near + 2 * step, near + 4 * step, near + 6 * step)
      scatter(b, far, far + 2 * step, far + 4 * step, far + 6 * step)
      if isLast {
        for pixelNumber in 0..<8 {
          finish(Lanes4(near + pixelNumber * step), x + right * pixelNumber, y + below * pixelNumber, 0)
        }
      }
    }
  }

  @inline(__always) func addFourLanes(
    _ line: Int, _ numbers: Range<Int>, lower a: inout Vector, upper b: inout Vector
  ) {
    let pixel = shape.pixelByteCount
    var tap = UnsafeRawPointer(taps + line * 16 + numbers.lowerBound * tapByteCount)
    let end = UnsafeRawPointer(taps + line * 16 + numbers.upperBound * tapByteCount)
    while tap < end {
      let offsets = tap.load(fromByteOffset: 256, as: SIMD4<Int32>.self)
      let p = sinogram + 16 * Int(offsets[0]), q = sinogram + 16 * Int(offsets[1])
      let r = sinogram + 16 * Int(offsets[2]), s = sinogram + 16 * Int(offsets[3])
      let shared = gather(p + pixel, q + pixel, r + pixel, s + pixel)
      a.add(spread(tap), gather(p, q, r, s))
      a.add(spread(tap + 64), shared)
      b.add(spread(tap + 128), shared)
      b.add(spread(tap + 192), gather(p + 2 * pixel, q + 2 * pixel, r + 2 * pixel, s + 2 * pixel))
      tap += tapByteCount
    }
  }

  /// Patches may reach beyond the slice; what lies there is dropped.
  @inline(__always) func finish<Group: LaneGroup>(_ sum: Group, _ x: Int, _ y: Int, _ lane: Int) {
    guard x < tile.width && y < tile.height else { return }
    let column = tile.column + x, row = tile.row + y
    let offset = (row * shape.volumePitch + column) * shape.pixelByteCount + lane
    guard let update = target.update else {
      sum.store(target.next + offset)
      return
    }
    var value = Group(update.x + offset)
    let scale = update.scales[row * update.scalesPitch + column]
    if scale != 0 {
      value.add(scale, sum)
      if update.isNonNegative { value.cutAtZero() }
    }
    if update.streams { value.stream(target.next + offset) } else { value.store(target.next + offset) }
  }
}
