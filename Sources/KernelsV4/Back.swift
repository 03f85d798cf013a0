import CLinux
import CVector
public import KernelTypes

/// Angles that are accumulated in registers before a pixel is stored again: their bins for a patch stay in the first-level cache.
private let anglesPerPass = 12
/// Pixels of a patch along its pairs and across them: 16 pairs, whose taps are built together.
let patchLength = 8, patchWidth = 4
/// Taps of 16 pairs and one angle: four weights and the offset of the first bin, in units of 16 bytes, each 16 × 4 bytes.
private let tapByteCount = 5 * 64
/// Bytes that `backTile` needs for taps.
public let backTapsByteCount = max(anglesPerPass * tapByteCount, backTwinsByteCount)

/// Backprojects `angles` (at least one) to a tile and writes it to `target`.
///
/// `sinogram` is bin 0 of slot 0 of a block, `buffer` holds the tile's sums between passes, `taps` are `backTapsByteCount` bytes at a
/// multiple of 64. Angles of one kind (swapped or not, rising or not) stand together. A pixel's sum runs over the angles in their order,
/// whatever the lanes and the tile.
public func backTile(
  _ tile: Tile, buffer: UnsafeMutableRawPointer, sinogram: UnsafeRawPointer, angles: UnsafeBufferPointer<BackAngle>,
  shape: KernelShape, taps: UnsafeMutableRawPointer, target: TileTarget
) {
  guard shape.lanes != 2 else {
    return backTwins(tile, buffer: buffer, sinogram: sinogram, angles: angles, shape: shape, memory: taps, target: target)
  }
  let job = BackJob(tile: tile, buffer: buffer, sinogram: sinogram, angles: angles, shape: shape, taps: taps, target: target)
  switch groupLanes(shape.lanes) {
  case 64: job.run(Lanes64.self)
  case 48: job.run(Lanes48.self)
  case 32: job.run(Lanes32.self)
  case 16: job.run(Lanes16.self)
  default: job.run(Lanes4.self)
  }
  if let update = target.update, update.streams { cvector_stream_end() }
}

private struct BackJob {
  let tile: Tile
  let buffer: UnsafeMutableRawPointer
  let sinogram: UnsafeRawPointer
  let angles: UnsafeBufferPointer<BackAngle>
  let shape: KernelShape
  let taps: UnsafeMutableRawPointer
  let target: TileTarget

  @inline(__always) func run<Group: LaneGroup>(_: Group.Type) {
    var first = 0
    while first < angles.count {
      let isSwapped = angles[first].isSwapped, isRising = angles[first].isRising
      var end = first + 1
      while end < angles.count && end - first < anglesPerPass && angles[end].isSwapped == isSwapped && angles[end].isRising == isRising {
        end += 1
      }
      pass(first, end, Group.self)
      first = end
    }
  }

  /// All patches of the tile, those across the pairs first: that way they move little on the detector.
  @inline(__always) func pass<Group: LaneGroup>(_ first: Int, _ end: Int, _: Group.Type) {
    let isSwapped = angles[first].isSwapped
    let length = isSwapped ? tile.height : tile.width, width = isSwapped ? tile.width : tile.height
    var along = 0
    while along < length {
      var across = 0
      while across < width {
        let column = isSwapped ? across : along, row = isSwapped ? along : across
        buildTaps(first, end, column: column, row: row)
        if Group.self == Lanes4.self {
          accumulateQuads(first, end, column: column, row: row)
        } else {
          accumulate(first, end, column: column, row: row, Group.self)
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
      let bin = clinux_clamp(floor &+ Int32(truncatingIfNeeded: Int(base) + sinogramMargin), last)
      let upper = lower + angle.pointee.step
      tap.storeBytes(of: clinux_positive(weight - lower * slope), as: Vector.self)
      tap.storeBytes(of: clinux_positive((weight - slope) + lower * slope), toByteOffset: 64, as: Vector.self)
      tap.storeBytes(of: clinux_positive(weight - magnitude(upper - 1) * slope), toByteOffset: 128, as: Vector.self)
      tap.storeBytes(of: clinux_positive((weight - (slope + slope)) + upper * slope), toByteOffset: 192, as: Vector.self)
      tap.storeBytes(of: (bin &+ slotBin) &* unitsPerPixel, toByteOffset: 256, as: Indices.self)
      tap += tapByteCount
    }
  }

  /// Adds some angles to a patch. The first start from nothing, the last hand their sums to the target.
  @inline(__always) func accumulate<Group: LaneGroup>(_ first: Int, _ end: Int, column: Int, row: Int, _: Group.Type) {
    let pixel = shape.pixelByteCount
    let isSwapped = angles[first].isSwapped, isRising = angles[first].isRising
    let isFirst = first == 0, isLast = end == angles.count && !target.keepsSums
    let right = isSwapped ? 0 : 1, below = 1 - right
    for pair in 0..<16 {
      let x = column + (isSwapped ? pair >> 2 : (pair & 3) * 2), y = row + (isSwapped ? (pair & 3) * 2 : pair >> 2)
      let near = buffer + (y * Tile.pitch + x) * pixel, far = near + (below * Tile.pitch + right) * pixel
      let lower = isRising ? near : far, upper = isRising ? far : near
      if isFirst { fetchTarget(x, y, bytes: (1 + right) * pixel, rows: 1 + below) }
      var lane = 0
      while lane < pixel {
        var a = Group(), b = Group()
        if !isFirst {
          a = Group(lower + lane)
          b = Group(upper + lane)
        }
        add(pair, end - first, lane, &a, &b)
        if isLast {
          finish(isRising ? a : b, x, y, lane)
          finish(isRising ? b : a, x + right, y + below, lane)
        } else {
          a.store(lower + lane)
          b.store(upper + lane)
        }
        lane += Group.byteCount
      }
    }
  }

  /// One pair and the angles of a pass.
  @inline(__always) func add<Group: LaneGroup>(_ pair: Int, _ count: Int, _ lane: Int, _ a: inout Group, _ b: inout Group) {
    let pixel = shape.pixelByteCount, bins = sinogram + lane
    var tap = UnsafeRawPointer(taps + pair * 4)
    let end = tap + count * tapByteCount
    while tap < end {
      let first = clinux_address(bins + 16 * Int(tap.load(fromByteOffset: 256, as: Int32.self)))!
      let second = clinux_address(first + pixel)!, third = clinux_address(second + pixel)!
      a.add(tap.load(as: Float.self), Group(first))
      let shared = Group(second)
      a.add(tap.load(fromByteOffset: 64, as: Float.self), shared)
      b.add(tap.load(fromByteOffset: 128, as: Float.self), shared)
      b.add(tap.load(fromByteOffset: 192, as: Float.self), Group(third))
      tap += tapByteCount
    }
  }

  /// The same with four lanes: four pairs, neighbours along their axis, at once.
  @inline(__always) func accumulateQuads(_ first: Int, _ end: Int, column: Int, row: Int) {
    let pixel = shape.pixelByteCount
    let isSwapped = angles[first].isSwapped, isRising = angles[first].isRising
    let isFirst = first == 0, isLast = end == angles.count && !target.keepsSums
    let right = isSwapped ? 0 : 1, below = 1 - right
    let step = (below * Tile.pitch + right) * pixel
    for quad in 0..<4 {
      let x = column + (isSwapped ? quad : 0), y = row + (isSwapped ? 0 : quad)
      let near = buffer + (y * Tile.pitch + x) * pixel
      let lower = isRising ? near : near + step, upper = isRising ? near + step : near
      var a = Vector.zero, b = Vector.zero
      if !isFirst {
        a = gather(lower, lower + 2 * step, lower + 4 * step, lower + 6 * step)
        b = gather(upper, upper + 2 * step, upper + 4 * step, upper + 6 * step)
      }
      addQuad(quad, end - first, &a, &b)
      scatter(a, lower, lower + 2 * step, lower + 4 * step, lower + 6 * step)
      scatter(b, upper, upper + 2 * step, upper + 4 * step, upper + 6 * step)
      if isLast {
        for pixelNumber in 0..<8 {
          finish(Lanes4(near + pixelNumber * step), x + right * pixelNumber, y + below * pixelNumber, 0)
        }
      }
    }
  }

  @inline(__always) func addQuad(_ quad: Int, _ count: Int, _ a: inout Vector, _ b: inout Vector) {
    let pixel = shape.pixelByteCount
    var tap = UnsafeRawPointer(taps + quad * 16)
    let end = tap + count * tapByteCount
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

  /// Asks for the pixels that the last pass will read and write.
  @inline(__always) func fetchTarget(_ x: Int, _ y: Int, bytes: Int, rows: Int) {
    let pixel = shape.pixelByteCount, streams = target.update?.streams ?? false
    for row in y..<y + rows {
      let start = ((tile.row + row) * shape.volumePitch + tile.column + x) * pixel
      for offset in stride(from: start, to: start + bytes, by: 64) {
        if let update = target.update { clinux_prefetch(update.x + offset) }
        if !streams { clinux_prefetch_write(target.next + offset) }
      }
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
