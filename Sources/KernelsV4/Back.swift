import CLinux
public import KernelTypes

/// Angles that are accumulated in registers before a pixel is stored again.
private let anglesPerPass = 12
/// Pixels along an edge of a patch, whose taps are built together: two halves of 4 rows × 4 pairs.
private let patchEdge = 8
/// Taps of 16 pairs and one angle: five weights and the offset of the first bin, in units of 16 bytes, each 16 × 4 bytes.
private let tapByteCount = 6 * 64
/// Bytes that `backTile` needs for taps.
public let backTapsByteCount = 2 * anglesPerPass * tapByteCount

/// Adds the backprojection of `angles` to a tile's buffer.
///
/// `sinogram` is bin 0 of slot 0 of a block, `taps` are `backTapsByteCount` bytes at a multiple of 64, `upcoming` is where the caller
/// will read pixels of this tile next (fetched into the cache meanwhile). Angles that rise come first. A pixel's sum runs over the
/// angles in their order, whatever the lanes and the tile.
public func backTile(
  _ tile: Tile, buffer: UnsafeMutableRawPointer, sinogram: UnsafeRawPointer, angles: UnsafeBufferPointer<BackAngle>,
  shape: KernelShape, taps: UnsafeMutableRawPointer, upcoming: UnsafeRawPointer
) {
  let job = BackJob(tile: tile, buffer: buffer, sinogram: sinogram, angles: angles, shape: shape, taps: taps, upcoming: upcoming)
  switch groupLanes(shape.lanes) {
  case 64: job.run(Lanes64.self)
  case 32: job.run(Lanes32.self)
  case 16: job.run(Lanes16.self)
  default: job.run(Lanes4.self)
  }
}

private struct BackJob {
  let tile: Tile
  let buffer: UnsafeMutableRawPointer
  let sinogram: UnsafeRawPointer
  let angles: UnsafeBufferPointer<BackAngle>
  let shape: KernelShape
  let taps: UnsafeMutableRawPointer
  let upcoming: UnsafeRawPointer

  @inline(__always) func run<Group: LaneGroup>(_: Group.Type) {
    var first = 0
    while first < angles.count {
      var end = first + 1
      while end < angles.count && end - first < anglesPerPass && angles[end].isRising == angles[first].isRising { end += 1 }
      var row = 0
      while row < tile.height {
        var column = 0
        while column < tile.width {
          buildTaps(first, end, column: column, row: row)
          accumulate(end - first, isRising: angles[first].isRising, column: column, row: row, fetch: end == angles.count, Group.self)
          column += patchEdge
        }
        row += patchEdge
      }
      first = end
    }
  }

  /// Two neighbours share three bins: the lower pixel touches the first two, the upper one any of the three.
  @inline(__always) func buildTaps(_ first: Int, _ end: Int, column: Int, row: Int) {
    let unitsPerPixel = Int32(truncatingIfNeeded: shape.lanes / 4)
    let last = Int32(truncatingIfNeeded: shape.columns + sinogramMargin)
    let x = Double(tile.column + column), y = Double(tile.row + row)
    var number = first
    while number < end {
      let angle = angles.baseAddress! + number
      let weight = angle.pointee.weight, slope = angle.pointee.slope
      let slotBin = Int32(truncatingIfNeeded: angle.pointee.slot * shape.sinogramPitch - sinogramMargin)
      var corner = x * angle.pointee.cosine - y * angle.pointee.sine + angle.pointee.origin
      for half in 0..<2 {
        let base = corner.rounded(.down)
        let (floor, lower) = split(angle.pointee.offsets + Float(corner - base))
        let bin = clamp(floor &+ Int32(truncatingIfNeeded: Int(base) + sinogramMargin), last)
        let upper = lower + angle.pointee.step
        let tap = taps + (half * anglesPerPass + number - first) * tapByteCount
        tap.storeBytes(of: positive(weight - lower * slope), as: Vector.self)
        tap.storeBytes(of: positive((weight - slope) + lower * slope), toByteOffset: 64, as: Vector.self)
        tap.storeBytes(of: positive(weight - upper * slope), toByteOffset: 128, as: Vector.self)
        tap.storeBytes(of: positive(weight - magnitude(upper - 1) * slope), toByteOffset: 192, as: Vector.self)
        tap.storeBytes(of: positive((weight - (slope + slope)) + upper * slope), toByteOffset: 256, as: Vector.self)
        tap.storeBytes(of: (bin &+ slotBin) &* unitsPerPixel, toByteOffset: 320, as: Indices.self)
        corner -= 4 * angle.pointee.sine
      }
      number += 1
    }
  }

  @inline(__always) func accumulate<Group: LaneGroup>(
    _ count: Int, isRising: Bool, column: Int, row: Int, fetch: Bool, _: Group.Type
  ) {
    let pixel = shape.pixelByteCount
    for pair in 0..<32 {
      let y = row + (pair >> 2), x = column + 2 * (pair & 3)
      if fetch {
        let line = upcoming + (y * shape.volumePitch + x) * pixel
        var offset = 0
        while offset < 2 * pixel {
          clinux_prefetch(line + offset)
          offset += 64
        }
      }
      let left = buffer + (y * Tile.pitch + x) * pixel
      let lower = isRising ? left : left + pixel, upper = isRising ? left + pixel : left
      let half = pair >> 4, slot = pair & 15
      let pairTaps = taps + (half * anglesPerPass * tapByteCount + slot * 4)
      var lane = 0
      while lane < pixel {
        accumulate(pairTaps, count, sinogram + lane, pixel, lower + lane, upper + lane, Group.self)
        lane += Group.byteCount
      }
    }
  }

  @inline(__always) func accumulate<Group: LaneGroup>(
    _ pairTaps: UnsafeMutableRawPointer, _ count: Int, _ bins: UnsafeRawPointer, _ pixel: Int,
    _ lower: UnsafeMutableRawPointer, _ upper: UnsafeMutableRawPointer, _: Group.Type
  ) {
    var a = Group(lower), b = Group(upper)
    var tap = UnsafeRawPointer(pairTaps)
    let end = tap + count * tapByteCount
    while tap < end {
      let first = bins + 16 * Int(tap.load(fromByteOffset: 320, as: Int32.self))
      let bin0 = Group(first)
      a.add(tap.load(as: Float.self), bin0)
      b.add(tap.load(fromByteOffset: 128, as: Float.self), bin0)
      let bin1 = Group(first + pixel)
      a.add(tap.load(fromByteOffset: 64, as: Float.self), bin1)
      b.add(tap.load(fromByteOffset: 192, as: Float.self), bin1)
      b.add(tap.load(fromByteOffset: 256, as: Float.self), Group(first + 2 * pixel))
      tap += tapByteCount
    }
    a.store(lower)
    b.store(upper)
  }
}
