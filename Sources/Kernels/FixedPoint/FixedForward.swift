import CVector
package import KernelTypes

/// Angles that share a stripe's words: more of them meet more of the voxels beside it.
private let raysPerGroup = 48
/// Positions count from so many voxels before the tile: where rays begin outside the slice, and what they meet.
private let positionMargin = fixedReach + fixedOutside + 1
private let stripesPerBand = Tile.edge / fixedStripe
/// Bits of a weight: eight steps of `fixedLimit` are below 2³¹.
private let weightBits: Int32 = 13
/// Bits of a position's fraction: a position in a tile is below 2⁶.
private let positionBits: Int32 = 25
/// Two rays through a band: 16 weights, a voxel's in the low half and its neighbour's in the high one, and the offsets
/// of 16 words in bytes, `[step][ray]`.
private let entryByteCount = 2 * 64
/// Pairs of rays that begin in a stripe: |across| ≤ 1.
private let pairsMax = fixedStripe / 2 + 1

// Memory: a tile in fixed point, a stripe's words, entries, an angle's steps [ray of the group], cursors [ray of the
// group].
private let wordsOffset = fixedVoxelsByteCount
private let entriesOffset = wordsOffset + fixedWordsByteCount
private let stepsOffset = entriesOffset + pairsMax * entryByteCount
private let cursorsOffset = stepsOffset + raysPerGroup * 64
/// Bytes that `forwardFixed` needs, a multiple of 64.
package let fixedForwardByteCount = cursorsOffset + (raysPerGroup * 8 + 63) & ~63

/// `forward` in fixed point: voxels of 16 bits, weights of 13, whole sums over the steps of a band. The same bits at
/// every x86-64 level, for all lanes and lists of rays. The pointers are to the first of the shape's `usedLanes`.
///
/// `memory` is `fixedForwardByteCount` bytes at a multiple of 64. With `peaks`, one for each lane (16 where there are
/// fewer), the volume's largest magnitudes are taken into them, and the voxels that do not fit are counted; they are
/// taken for ±`fixedLimit` steps.
package func forwardFixed(
  volume: UnsafeRawPointer, sinogram: UnsafeMutableRawPointer, rays: UnsafeBufferPointer<Ray>, shape: KernelShape,
  scales: FixedScales, memory: UnsafeMutableRawPointer, peaks: UnsafeMutablePointer<Float>?
) -> Int {
  var job = FixedForwardJob(
    sinogram: sinogram, rays: rays, shape: shape, memory: memory, peaks: peaks,
    volume: FixedVolume(volume: volume, shape: shape, scales: scales, voxels: memory, words: memory + wordsOffset))
  return job.run()
}

private struct FixedForwardJob {
  let sinogram: UnsafeMutableRawPointer
  let rays: UnsafeBufferPointer<Ray>
  let shape: KernelShape
  let memory: UnsafeMutableRawPointer
  let peaks: UnsafeMutablePointer<Float>?
  let volume: FixedVolume
  /// Voxels that did not fit.
  var count = 0
  /// The tile and the plane that are at work, and those that follow.
  var column = 0, row = 0, plane = (lane: 0, lanes: 0)
  var next = (column: 0, row: 0, lane: 0)
  var nextTile: ForwardPrefetch
  /// The sinogram is larger than second-level caches, so that bins come from afar for each tile.
  let fetchesSums: Bool

  init(
    sinogram: UnsafeMutableRawPointer, rays: UnsafeBufferPointer<Ray>, shape: KernelShape,
    memory: UnsafeMutableRawPointer, peaks: UnsafeMutablePointer<Float>?, volume: FixedVolume
  ) {
    self.sinogram = sinogram
    self.rays = rays
    self.shape = shape
    self.memory = memory
    self.peaks = peaks
    self.volume = volume
    fetchesSums = rays.count * shape.sinogramPitch * shape.usedByteCount > 1 << 22
    nextTile = ForwardPrefetch(calls: rays.count * (Tile.edge / bandSteps) * stripesPerBand, shape: shape)
  }

  mutating func run() -> Int {
    let pixel = shape.pixelByteCount
    let isWhole = shape.usedLanes == shape.lanes, bins = shape.columns + 1
    for ray in rays {
      let row = sinogram + ray.slot * shape.sinogramPitch * pixel
      for piece in 0..<(isWhole ? 1 : bins) {
        (row + piece * pixel).initializeMemory(
          as: UInt8.self, repeating: 0, count: isWhole ? bins * pixel : shape.usedByteCount)
      }
    }
    for row in stride(from: 0, to: shape.columns, by: Tile.edge) {
      for column in stride(from: 0, to: shape.columns, by: Tile.edge) where !isLeftOut(column: column, row: row, shape)
      {
        self.column = column
        self.row = row
        forEachPlane(lanes: shape.usedLanes, widest: forwardPlaneLanes) { lane, lanes in project(lane, lanes) }
      }
    }
    return count
  }

  /// All rays through a plane of the tile.
  private mutating func project(_ lane: Int, _ lanes: Int) {
    plane = (lane, lanes)
    let isLast = lane + lanes >= shape.usedLanes, isRowEnd = column + Tile.edge >= shape.columns
    next =
      !isLast ? (column, row, lane + lanes) : isRowEnd ? (0, row + Tile.edge, 0) : (column + Tile.edge, row, 0)
    nextTile.begin(
      volume.volume + (next.row * shape.volumePitch + next.column) * shape.pixelByteCount + 4 * next.lane,
      lanes: lanes, follows: isLast && !isRowEnd)
    if shape.lanes == 2 { return tile(NarrowPairs<SIMD2<Float>>.self) }
    if shape.lanes == 4 { return tile(NarrowPairs<SIMD4<Float>>.self) }
    #if !WITHOUT_AVX512
      if cvector_has_vnni() != 0 {
        return switch lanes {
        case 64: tile(PairLanesPair<PairLanesPair<DotPairs16>>.self)
        case 32: tile(PairLanesPair<DotPairs16>.self)
        default: tile(DotPairs16.self)
        }
      }
      if lanes == 64 { return tile(PairLanesPair<PairLanesPair<Pairs16>>.self) }
    #endif
    return lanes == 16 ? tile(Pairs16.self) : tile(PairLanesPair<Pairs16>.self)
  }

  @inline(__always) private mutating func tile<Lanes: PairLanes>(_: Lanes.Type) {
    count += volume.fill(column: column, row: row, plane: plane, peaks: peaks)
    var first = 0
    while first < rays.count {
      let isSwapped = rays[first].isSwapped
      var end = first + 1
      while end < rays.count && end - first < raysPerGroup && rays[end].isSwapped == isSwapped { end += 1 }
      group(first, end, Lanes.self)
      first = end
    }
  }

  private var cursors: UnsafeMutablePointer<Int> { (memory + cursorsOffset).assumingMemoryBound(to: Int.self) }

  /// The tile for some rays of one kind.
  @inline(__always) private mutating func group<Lanes: PairLanes>(_ first: Int, _ end: Int, _: Lanes.Type) {
    let isSwapped = rays[first].isSwapped
    let minor = isSwapped ? row : column, major = isSwapped ? column : row
    let from = minor == 0 ? -fixedOutside : minor
    let to = minor + Tile.edge >= shape.columns ? shape.columns + fixedOutside : minor + Tile.edge
    var drifts = (least: rays[first].drift, most: rays[first].drift)
    for number in first..<end {
      let drift = rays[number].drift
      drifts = (min(drifts.least, drift), max(drifts.most, drift))
      let steps = cvector_integers(rays[number].offsets * Float(1 << positionBits))
      memory.storeBytes(of: steps, toByteOffset: stepsOffset + 64 * (number - first), as: Indices.self)
    }
    var part = 0
    for band in stride(from: major, to: min(major + Tile.edge, shape.columns), by: bandSteps) {
      let middle = Double(band) + 0.5 * Double(bandSteps - 1)
      for number in first..<end { cursors[number - first] = rayIndex(rays.baseAddress! + number, from, middle) }
      var position = from
      while position < to {
        let start = position - minor
        position = min(position + fixedStripe, to)
        makeWords(start..<position - minor, band - major, isSwapped, drifts, Lanes.self)
        for number in first..<end {
          let ray = rays.baseAddress! + number
          let begin = cursors[number - first], stop = rayIndex(ray, position, middle)
          cursors[number - first] = stop
          let lower = max(0, min(begin, stop)), upper = min(shape.columns, max(begin, stop))
          if fetchesSums { fetchSums(number + end - first, part: part) }
          nextTile.fetch()
          if lower < upper {
            build(ray, number - first, lower, upper, minor: minor, stripe: start, band: band)
            accumulate(ray, lower, upper, Lanes.self)
          }
        }
        part += 1
      }
    }
  }

  /// The words that the group's rays meet in a stripe: they drift apart from the middle of the band.
  @inline(__always) private func makeWords<Lanes: PairLanes>(
    _ stripe: Range<Int>, _ major: Int, _ isSwapped: Bool, _ drifts: (least: Double, most: Double), _: Lanes.Type
  ) {
    for step in 0..<bandSteps {
      let distance = Double(step) - 0.5 * Double(bandSteps - 1)
      let low = min(distance * drifts.least, distance * drifts.most),
        high = max(distance * drifts.least, distance * drifts.most)
      // What positions are rounded by is between 3e-5 and 1e-4.
      let first = Int((Double(stripe.lowerBound) + low + 3e-5).rounded(.down)),
        last = Int((Double(stripe.upperBound) + high + 1e-4).rounded(.down))
      let place = step * fixedPitch + first - stripe.lowerBound + fixedReach
      volume.makeWords(
        first: first, count: last - first + 1, major: major + step, isSwapped: isSwapped,
        to: volume.words + place * Lanes.byteCount, Lanes.self)
    }
  }

  /// Bins below this one lie before `minor`, or behind it where bins fall along the minor axis. Neighbouring tiles
  /// compute the same limit.
  @inline(__always) private func rayIndex(_ ray: UnsafePointer<Ray>, _ minor: Int, _ middle: Double) -> Int {
    Int((Double(minor) * ray.pointee.across + middle * ray.pointee.along + ray.pointee.origin).rounded(.up))
  }

  /// Weights and offsets of rays through the band, two by two; the stripe's voxels count from the tile.
  @inline(__always) private func build(
    _ ray: UnsafePointer<Ray>, _ number: Int, _ lower: Int, _ upper: Int, minor: Int, stripe: Int, band: Int
  ) {
    let one: Int32 = 1 << weightBits, wordBits = Int32(truncatingIfNeeded: (4 * plane.lanes).trailingZeroBitCount)
    let steps: Indices = vector(memory + stepsOffset + 64 * number)
    let rows =
      Indices(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7)
      &* Int32(truncatingIfNeeded: fixedPitch << Int(wordBits))
      &- Int32(truncatingIfNeeded: (stripe + positionMargin - fixedReach) << Int(wordBits))
    let start = Double(band) * ray.pointee.drift + ray.pointee.start + Double(positionMargin - minor)
    let inverse = ray.pointee.inverse
    var entry = memory + entriesOffset, bin = lower
    var sums = sinogram + (ray.pointee.slot * shape.sinogramPitch + lower) * shape.pixelByteCount + 4 * plane.lane
    while bin < upper {
      for line in 0..<(fetchesSums ? plane.lanes / 16 : 0) {
        cvector_prefetch_near(sums + 64 * line)
        cvector_prefetch_near(sums + shape.pixelByteCount + 64 * line)
      }
      sums += 2 * shape.pixelByteCount
      // Half a step of a weight more, so that the bits that are dropped round.
      let position =
        (Double(bin) * inverse + start) * Double(1 << positionBits)
        + Double(1 << (positionBits - weightBits - 1))
      let places = (steps &+ Int32(truncatingIfNeeded: Int(position))) &>> (positionBits - weightBits)
      let fraction = places & (one - 1)
      entry.storeBytes(of: (fraction &<< 16) &- fraction &+ one, as: Indices.self)
      entry.storeBytes(of: ((places &>> weightBits) &<< wordBits) &+ rows, toByteOffset: 64, as: Indices.self)
      entry += entryByteCount
      bin += 2
    }
  }

  /// Adds what rays meet in the stripe to their bins.
  @inline(__always) private func accumulate<Lanes: PairLanes>(
    _ ray: UnsafePointer<Ray>, _ lower: Int, _ upper: Int, _: Lanes.Type
  ) {
    let pixel = shape.pixelByteCount
    let source = UnsafeRawPointer(volume.words)
    let units = Lanes.Floats(volume.scales.units + plane.lane) * (ray.pointee.weight / Float(1 << weightBits))
    var sums = sinogram + (ray.pointee.slot * shape.sinogramPitch + lower) * pixel + 4 * plane.lane
    var tap = UnsafeRawPointer(memory + entriesOffset)
    var count = upper - lower
    while count > 0 {
      add(tap, source, units, sums, Lanes.self)
      if count > 1 { add(tap + 4, source, units, sums + pixel, Lanes.self) }
      tap += entryByteCount
      sums += 2 * pixel
      count -= 2
    }
  }

  /// One ray: whole sums over eight steps.
  @inline(__always) private func add<Lanes: PairLanes>(
    _ tap: UnsafeRawPointer, _ source: UnsafeRawPointer, _ units: Lanes.Floats, _ bins: UnsafeMutableRawPointer,
    _: Lanes.Type
  ) {
    var sum = Lanes()
    for step in 0..<bandSteps {
      let words = cvector_address(source + Int(tap.load(fromByteOffset: 64 + 8 * step, as: Int32.self)))!
      sum.add(tap.load(fromByteOffset: 8 * step, as: Int32.self), words)
    }
    (Lanes.Floats(bins) + sum.floats * units).store(bins)
  }

  /// Asks for a share of the bins that a ray will meet, in this plane or in the next one where the list ends: the
  /// stripes of a tile each ask for one.
  @inline(__always) private func fetchSums(_ number: Int, part: Int) {
    let parts = Tile.edge / bandSteps * stripesPerBand
    let wraps = number >= rays.count, index = wraps ? number - rays.count : number
    guard part < parts && index < rays.count else { return }
    let ray = rays.baseAddress! + index, pixel = shape.pixelByteCount
    let (column, row, lane) = wraps ? next : (column, row, plane.lane)
    let minor = Double(ray.pointee.isSwapped ? row : column), major = Double(ray.pointee.isSwapped ? column : row)
    let across = ray.pointee.across, along = ray.pointee.along, edge = Double(Tile.edge)
    let corner = minor * across + major * along + ray.pointee.origin + edge * (min(0, across) + min(0, along)) - 1
    let first = max(0, Int(corner)), end = min(shape.columns, Int(corner + edge * (abs(across) + abs(along))) + 4)
    let share = max(0, end - first) / parts + 1
    let start = sinogram + (ray.pointee.slot * shape.sinogramPitch + first + part * share) * pixel + 4 * lane
    for bin in 0..<share {
      for line in 0..<plane.lanes / 16 { cvector_prefetch_write(start + bin * pixel + 64 * line) }
    }
  }
}

/// What the next plane or tile reads of the volume, brought into the cache a few voxels at a time.
private struct ForwardPrefetch {
  private let pitch: Int, pixel: Int, voxelsPerCall: Int
  /// Cache lines of a voxel's lanes.
  private var lines = 0
  private var row: UnsafeRawPointer?
  private var rowsLeft = 0
  private var column = 0, columns = 0

  /// Spreads a tile over so many calls of `fetch`.
  init(calls: Int, shape: KernelShape) {
    pixel = shape.pixelByteCount
    pitch = shape.volumePitch * pixel
    let edge = Tile.edge + 2 * fixedReach + 1
    voxelsPerCall = (edge * edge + calls - 1) / max(1, calls)
  }

  /// Begins with the first voxel of a tile and those beside it. Those that the tile left of it has read are left out
  /// where it `follows` that one.
  mutating func begin(_ tile: UnsafeRawPointer, lanes: Int, follows: Bool) {
    lines = lanes / 16
    row = tile - fixedReach * pitch + (follows ? fixedReach + 1 : -fixedReach) * pixel
    rowsLeft = Tile.edge + 2 * fixedReach + 1
    columns = follows ? Tile.edge : Tile.edge + 2 * fixedReach + 1
    column = 0
  }

  @inline(__always) mutating func fetch() {
    guard rowsLeft > 0, var address = row else { return }
    address += column * pixel
    for _ in 0..<voxelsPerCall {
      for line in 0..<lines { cvector_prefetch(address + 64 * line) }
      address += pixel
    }
    column += voxelsPerCall
    if column >= columns {
      column = 0
      rowsLeft -= 1
      row = row.map { $0 + pitch }
    }
  }
}
