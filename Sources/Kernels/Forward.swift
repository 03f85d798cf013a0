import CVector
package import KernelTypes

/// Steps a pair of rays takes before its sums are stored.
let bandSteps = 8
/// Angles that read a tile one after the other while it is in the cache.
private let raysPerGroup = 12
/// Pixels along the minor axis that all angles of a group finish before the next ones.
private let stripe = 16
/// A pair of rays through a band: 16 upper weights and 16 offsets in units of 16 bytes, `[step][ray]`.
private let entryByteCount = 2 * 64
/// Pixels beside a tile that its rays can meet: a pair belongs to the tile of its middle in a band, and drifts a pixel
/// a step at most.
let tileReach = bandSteps / 2 + 4
/// Pairs of rays that meet a stripe of a band: |across| ≤ 1, and one more where the stripe begins within a pair.
private let pairsMax = stripe / 2 + 2

/// Projects a block: each bin of each ray's slot becomes the sum over the slice, bin `columns` becomes zero.
///
/// `volume` is pixel (0, 0) and `sinogram` bin 0 of slot 0 of the block. Rays of one kind (swapped or not) stand
/// together; neighbours in the list should have a similar drift. Lanes beyond `shape.usedLanes` are neither read nor
/// written, bins beyond `shape.usedPairs` not written. A bin's sum runs over tiles, then over steps: the same for all
/// lanes, parts and lists of rays.
package func forward(
  volume: UnsafeRawPointer, sinogram: UnsafeMutableRawPointer, rays: UnsafeBufferPointer<Ray>, shape: KernelShape
) {
  guard shape.lanes != 2 else { return forwardTwoLanes(volume: volume, sinogram: sinogram, rays: rays, shape: shape) }
  withUnsafeTemporaryAllocation(byteCount: pairsMax * entryByteCount + raysPerGroup * 8, alignment: 64) { memory in
    var job = ForwardJob(volume: volume, sinogram: sinogram, rays: rays, shape: shape, memory: memory.baseAddress!)
    switch groupLanes(shape.usedLanes) {
    case 64: job.run(Lanes64.self)
    case 48: job.run(Lanes48.self)
    case 32: job.run(Lanes32.self)
    case 16: job.run(Lanes16.self)
    default: job.run(Lanes4.self)
    }
  }
}

/// Pairs of bins below this one lie before `minor`, or behind it where bins fall along the minor axis. Neighbouring
/// tiles compute the same limit.
@inline(__always) func pairIndex(_ ray: UnsafePointer<Ray>, minor: Int, _ middle: Double) -> Int {
  let pair = (Double(minor) * ray.pointee.across + middle * ray.pointee.along + ray.pointee.origin) * 0.5
  return Int(pair.rounded(.up))
}

/// Whether a tile, with all that its rays meet, holds zeros because it lies outside the disk.
func isLeftOut(column: Int, row: Int, _ shape: KernelShape) -> Bool {
  shape.isDisk && Tile.isOutsideDisk(column: column, row: row, columns: shape.columns, margin: tileReach)
}

private struct ForwardJob {
  let volume: UnsafeRawPointer
  let sinogram: UnsafeMutableRawPointer
  let rays: UnsafeBufferPointer<Ray>
  let shape: KernelShape
  /// Of one ray's pairs in a stripe.
  let entries: UnsafeMutableRawPointer
  /// Next pair of bins of each ray of the group.
  let cursors: UnsafeMutablePointer<Int>
  /// Row of the next tile that is brought into the cache, a few lines for each pair of rays that is built.
  var prefetchRow: UnsafeRawPointer
  var prefetchRowsLeft = 0
  var prefetchOffset = 0
  /// Where the next tile begins.
  var nextTile = (column: 0, row: 0)
  /// The sinogram is too large to stay in the second-level cache from one tile to the next.
  let fetchesSums: Bool

  init(
    volume: UnsafeRawPointer, sinogram: UnsafeMutableRawPointer, rays: UnsafeBufferPointer<Ray>, shape: KernelShape,
    memory: UnsafeMutableRawPointer
  ) {
    self.volume = volume
    self.sinogram = sinogram
    self.rays = rays
    self.shape = shape
    entries = memory
    cursors = (memory + pairsMax * entryByteCount).assumingMemoryBound(to: Int.self)
    prefetchRow = volume
    fetchesSums = rays.count * shape.sinogramPitch * shape.usedByteCount > 1 << 20
  }

  @inline(__always) mutating func run<Group: LaneGroup>(_: Group.Type) {
    let pixel = shape.pixelByteCount
    let bins = shape.usedPairs.lowerBound * 2..<min(shape.usedPairs.upperBound * 2, shape.columns + 1)
    for ray in rays { clear(ray, bins: bins) }
    var row = 0
    while row < shape.columns {
      var column = 0
      while column < shape.columns {
        if isLeftOut(column: column, row: row, shape) {
          column += Tile.edge
          continue
        }
        nextTile = column + Tile.edge < shape.columns ? (column + Tile.edge, row) : (0, row + Tile.edge)
        prefetchRow = volume + (row * shape.volumePitch + column + Tile.edge) * pixel
        prefetchRowsLeft = Tile.edge
        prefetchOffset = 0
        var first = 0
        while first < rays.count {
          var end = first + 1
          while end < rays.count && end - first < raysPerGroup && rays[end].isSwapped == rays[first].isSwapped {
            end += 1
          }
          tile(first, end, column: column, row: row, Group.self)
          first = end
        }
        column += Tile.edge
      }
      row += Tile.edge
    }
    // An odd last bin shares its pair with the first bin of the margin.
    guard bins.upperBound >= shape.columns else { return }
    for ray in rays { clear(ray, bins: shape.columns..<shape.columns + 1) }
  }

  private func clear(_ ray: Ray, bins: Range<Int>) {
    let pixel = shape.pixelByteCount, row = sinogram + ray.slot * shape.sinogramPitch * pixel
    guard shape.usedLanes < shape.lanes else {
      (row + bins.lowerBound * pixel).initializeMemory(as: UInt8.self, repeating: 0, count: bins.count * pixel)
      return
    }
    for bin in bins {
      (row + bin * pixel).initializeMemory(as: UInt8.self, repeating: 0, count: shape.usedByteCount)
    }
  }

  /// All bands of a tile for a group of rays of one kind.
  @inline(__always) mutating func tile<Group: LaneGroup>(
    _ first: Int, _ end: Int, column: Int, row: Int, _: Group.Type
  ) {
    let isSwapped = rays[first].isSwapped
    let minor = isSwapped ? row : column, major = isSwapped ? column : row
    // Rays may enter a band from outside the slice, but never from farther than the band is high.
    let from = minor == 0 ? -bandSteps : minor
    let to = minor + Tile.edge >= shape.columns ? shape.columns + bandSteps : minor + Tile.edge
    var part = 0
    var band = major
    while band < min(major + Tile.edge, shape.columns) {
      let middle = Double(band) + 0.5 * Double(bandSteps - 1)
      for number in first..<end { cursors[number - first] = pairIndex(rays.baseAddress! + number, minor: from, middle) }
      var position = from
      while position < to {
        position = min(position + stripe, to)
        for number in first..<end {
          let ray = rays.baseAddress! + number
          let start = cursors[number - first], stop = pairIndex(ray, minor: position, middle)
          cursors[number - first] = stop
          let lower = max(shape.usedPairs.lowerBound, min(start, stop))
          let upper = min(shape.usedPairs.upperBound, max(start, stop))
          if fetchesSums { fetchSums(number, end - first, part: part, column: column, row: row) }
          if lower < upper {
            build(ray, lower, upper, band: band)
            if Group.self == Lanes4.self {
              accumulateFourLanes(ray, lower, upper, band: band)
            } else {
              accumulate(ray, lower, upper, band: band, Group.self)
            }
          }
        }
        part += 1
      }
      band += bandSteps
    }
  }

  /// Weights and offsets of pairs of rays through the band.
  @inline(__always) mutating func build(_ ray: UnsafePointer<Ray>, _ lower: Int, _ upper: Int, band: Int) {
    let unitsPerPixel = shape.lanes / 4, unitsPerRow = shape.volumePitch * unitsPerPixel
    let isSwapped = ray.pointee.isSwapped
    let major = Int32(truncatingIfNeeded: isSwapped ? unitsPerPixel : unitsPerRow)
    let minor = Int32(truncatingIfNeeded: isSwapped ? unitsPerRow : unitsPerPixel)
    let margin = Int32(truncatingIfNeeded: volumeMargin)
    let steps = Indices(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7) &* major &- margin &* minor
    let last = Int32(truncatingIfNeeded: shape.columns + volumeMargin)
    let start = Double(band) * ray.pointee.drift + ray.pointee.start
    let inverse = ray.pointee.inverse, weight = ray.pointee.weight, offsets = ray.pointee.offsets
    var entry = entries
    var pair = lower
    while pair < upper {
      let position = Double(2 * pair) * inverse + start
      let base = position.rounded(.down)
      let (floor, fraction) = split(offsets + Float(position - base))
      let pixel = cvector_clamp16(floor &+ Int32(truncatingIfNeeded: Int(base) + volumeMargin), last)
      entry.storeBytes(of: fraction * weight, as: Vector.self)
      entry.storeBytes(of: pixel &* minor &+ steps, toByteOffset: 64, as: Indices.self)
      entry += entryByteCount
      pair += 1
      prefetch()
    }
  }

  /// Asks for a share of the bins that the ray `ahead` places behind `number` in the list will meet in its tile: a
  /// tile's stripes each ask for one. They come from the third-level cache or farther.
  @inline(__always) func fetchSums(_ number: Int, _ ahead: Int, part: Int, column: Int, row: Int) {
    let parts = Tile.edge / bandSteps * (Tile.edge / stripe)
    var index = number + ahead, column = column, row = row
    if index >= rays.count {
      index -= rays.count
      (column, row) = nextTile
    }
    guard part < parts && index < rays.count else { return }
    let ray = rays.baseAddress! + index, pixel = shape.pixelByteCount
    let minor = ray.pointee.isSwapped ? row : column, major = ray.pointee.isSwapped ? column : row
    let across = ray.pointee.across, along = ray.pointee.along, edge = Double(Tile.edge)
    let corner =
      Double(minor) * across + Double(major) * along + ray.pointee.origin + edge * (min(0, across) + min(0, along)) - 1
    let first = max(0, Int(corner)), end = min(shape.columns, Int(corner + edge * (abs(across) + abs(along))) + 4)
    let bins = sinogram + (ray.pointee.slot * shape.sinogramPitch + first) * pixel
    if shape.usedLanes < shape.lanes {
      let share = max(0, end - first) / parts + 1
      for bin in part * share..<(part + 1) * share {
        for line in 0..<shape.usedByteCount >> 6 { cvector_prefetch_write(bins + bin * pixel + line * 64) }
      }
      return
    }
    let share = max(0, end - first) * pixel / parts + 64, start = bins + part * share
    var offset = 0
    while offset < share {
      cvector_prefetch_write(start + offset)
      offset += 64
    }
  }

  /// Asks for eight cache lines of the next tile, or for those of four pixels that are used.
  @inline(__always) mutating func prefetch() {
    guard prefetchRowsLeft > 0 else { return }
    if shape.usedLanes < shape.lanes {
      for _ in 0..<4 {
        for line in 0..<shape.usedByteCount >> 6 { cvector_prefetch(prefetchRow + prefetchOffset + line * 64) }
        prefetchOffset += shape.pixelByteCount
      }
    } else {
      for line in 0..<8 { cvector_prefetch(prefetchRow + prefetchOffset + line * 64) }
      prefetchOffset += 512
    }
    if prefetchOffset >= Tile.edge * shape.pixelByteCount {
      prefetchOffset = 0
      prefetchRowsLeft -= 1
      prefetchRow += shape.volumePitch * shape.pixelByteCount
    }
  }

  /// Adds what the pairs of rays meet in the band to their bins.
  @inline(__always) func accumulate<Group: LaneGroup>(
    _ ray: UnsafePointer<Ray>, _ lower: Int, _ upper: Int, band: Int, _: Group.Type
  ) {
    let pixel = shape.pixelByteCount, used = shape.usedByteCount, row = shape.volumePitch * pixel
    let isSwapped = ray.pointee.isSwapped
    let neighbour = isSwapped ? row : pixel
    let weight = ray.pointee.weight
    let source = volume + band * (isSwapped ? pixel : row)
    var sums = sinogram + (ray.pointee.slot * shape.sinogramPitch + 2 * lower) * pixel
    let length = min(bandSteps, shape.columns - band) * 8
    var entry = UnsafeRawPointer(entries)
    let stop = entry + (upper - lower) * entryByteCount
    while entry < stop {
      var lane = 0
      while lane < used {
        var a = Group(sums + lane), b = Group(sums + pixel + lane)
        let lanes = source + lane
        var tap = entry
        let end = tap + length
        while tap < end {
          let upperA = tap.load(as: Float.self), upperB = tap.load(fromByteOffset: 4, as: Float.self)
          let pixelA = cvector_address(lanes + 16 * Int(tap.load(fromByteOffset: 64, as: Int32.self)))!
          let pixelB = cvector_address(lanes + 16 * Int(tap.load(fromByteOffset: 68, as: Int32.self)))!
          let nextA = cvector_address(pixelA + neighbour)!, nextB = cvector_address(pixelB + neighbour)!
          a.add(weight - upperA, Group(pixelA))
          b.add(weight - upperB, Group(pixelB))
          a.add(upperA, Group(nextA))
          b.add(upperB, Group(nextB))
          tap += 8
        }
        a.store(sums + lane)
        b.store(sums + pixel + lane)
        lane += Group.byteCount
      }
      entry += entryByteCount
      sums += 2 * pixel
    }
  }

  /// The same with four lanes: two pairs of rays at once. A last pair without a partner takes part twice, and is stored
  /// once.
  @inline(__always) func accumulateFourLanes(_ ray: UnsafePointer<Ray>, _ lower: Int, _ upper: Int, band: Int) {
    let pixel = shape.pixelByteCount, row = shape.volumePitch * pixel
    let isSwapped = ray.pointee.isSwapped
    let neighbour = isSwapped ? row : pixel
    let weight = Vector(repeating: ray.pointee.weight)
    let source = volume + band * (isSwapped ? pixel : row)
    let length = min(bandSteps, shape.columns - band) * 8
    var pair = lower
    while pair < upper {
      let second = min(pair + 1, upper - 1) - pair
      let sums = sinogram + (ray.pointee.slot * shape.sinogramPitch + 2 * pair) * pixel,
        more = sums + 2 * second * pixel
      var sum = gather(sums, sums + pixel, more, more + pixel)
      var tap = UnsafeRawPointer(entries + (pair - lower) * entryByteCount)
      let next = second * entryByteCount
      let end = tap + length
      while tap < end {
        let a = source + 16 * Int(tap.load(fromByteOffset: 64, as: Int32.self)),
          b = source + 16 * Int(tap.load(fromByteOffset: 68, as: Int32.self))
        let c = source + 16 * Int(tap.load(fromByteOffset: 64 + next, as: Int32.self)),
          d = source + 16 * Int(tap.load(fromByteOffset: 68 + next, as: Int32.self))
        let upperWeights = spread(tap, tap + next)
        sum.add(weight - upperWeights, gather(a, b, c, d))
        sum.add(upperWeights, gather(a + neighbour, b + neighbour, c + neighbour, d + neighbour))
        tap += 8
      }
      scatter(sum, sums, sums + pixel, more, more + pixel)
      pair += 2
    }
  }
}
