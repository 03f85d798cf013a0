import CVector
package import KernelTypes

/// Angles that are summed as whole numbers: so many times the largest bin and the weights of a pixel, which are
/// `fixedBackUnit` together at most, but for their rounding, are below 2³¹.
private let anglesPerPass = 12
/// The largest bin in fixed point, and the weight 1: what one gains in accuracy the other loses. Twice the weight and
/// √2 stay below 2¹⁵.
package let fixedBinLimit: Float = 20_000, fixedBackUnit = 8_940
/// Bits of a position's fraction: positions within a tile are below 2⁷.
private let positionBits = 25
/// A patch's 32 weights at an angle, of a bin in the low half and of the next in the high one, and the places of their
/// words in units of 8 bytes, `[across][along]`.
private let tapByteCount = 2 * 4 * patchLength * patchWidth

// Memory: a plane of the tile, float32 `[row][column][lane]`; taps; angles of a pass.
private let tapsOffset = Tile.edge * Tile.pitch * backPlaneLanes * 4
private let anglesOffset = tapsOffset + anglesPerPass * tapByteCount
/// Bytes that `backTileFixed` needs, a multiple of 64.
package let fixedBackByteCount = anglesOffset + anglesPerPass * MemoryLayout<FixedAngle>.stride

/// `backTile` in fixed point: bins of 15 bits and a sign, weights of 13 bits, whole sums over the angles of
/// a pass. The same bits at every x86-64 level and for all lanes.
///
/// `pairs` are the rows that `convertRow` has made of the block's `angles`, `units` the value of a step times the
/// weight 1 in each lane, `memory` `fixedBackByteCount` bytes at a multiple of 64. `buffer` is used only where the
/// target keeps the sums.
package func backTileFixed(
  _ tile: Tile, buffer: UnsafeMutableRawPointer, pairs: UnsafeRawPointer, angles: UnsafeBufferPointer<BackAngle>,
  shape: KernelShape, units: UnsafePointer<Float>, memory: UnsafeMutableRawPointer, target: TileTarget
) {
  var job = FixedBackJob(
    tile: tile, buffer: buffer, pairs: pairs, angles: angles, shape: shape, units: units, memory: memory,
    target: target)
  job.run()
  if let update = target.update, update.streams { cvector_stream_end() }
}

private struct FixedBackJob {
  let tile: Tile
  let buffer: UnsafeMutableRawPointer
  let pairs: UnsafeRawPointer
  let angles: UnsafeBufferPointer<BackAngle>
  let shape: KernelShape
  let units: UnsafePointer<Float>
  let memory: UnsafeMutableRawPointer
  let target: TileTarget
  var plane = (lane: 0, lanes: 0)
  var nextTile: NextTilePrefetch

  init(
    tile: Tile, buffer: UnsafeMutableRawPointer, pairs: UnsafeRawPointer, angles: UnsafeBufferPointer<BackAngle>,
    shape: KernelShape, units: UnsafePointer<Float>, memory: UnsafeMutableRawPointer, target: TileTarget
  ) {
    self.tile = tile
    self.buffer = buffer
    self.pairs = pairs
    self.angles = angles
    self.shape = shape
    self.units = units
    self.memory = memory
    self.target = target
    let planes = (shape.lanes + backPlaneLanes - 1) / backPlaneLanes
    nextTile = NextTilePrefetch(
      after: tile, target: target, passes: planes * passCount(angles, atMost: anglesPerPass), shape: shape)
  }

  mutating func run() {
    forEachPlane(lanes: shape.lanes, widest: backPlaneLanes) { lane, lanes in
      plane = (lane, lanes)
      if shape.lanes == 2 { return passes(NarrowPairs<SIMD2<Float>>.self) }
      if shape.lanes == 4 { return passes(NarrowPairs<SIMD4<Float>>.self) }
      #if !WITHOUT_AVX512
        if cvector_has_vnni() != 0 {
          return switch lanes {
          case 64: passes(PairLanesPair<PairLanesPair<DotPairs16>>.self)
          case 32: passes(PairLanesPair<DotPairs16>.self)
          default: passes(DotPairs16.self)
          }
        }
        if lanes == 64 { return passes(PairLanesPair<PairLanesPair<Pairs16>>.self) }
      #endif
      return lanes == 16 ? passes(Pairs16.self) : passes(PairLanesPair<Pairs16>.self)
    }
  }

  @inline(__always) private mutating func passes<Lanes: PairLanes>(_: Lanes.Type) {
    var first = 0
    while first < angles.count {
      let end = passEnd(angles, from: first, atMost: anglesPerPass)
      pass(first, end, Lanes.self)
      first = end
    }
  }

  private var prepared: UnsafeMutablePointer<FixedAngle> {
    (memory + anglesOffset).assumingMemoryBound(to: FixedAngle.self)
  }

  /// All patches of the tile, those across the pairs first: that way they move little on the detector.
  @inline(__always) private mutating func pass<Lanes: PairLanes>(_ first: Int, _ end: Int, _: Lanes.Type) {
    let isSwapped = angles[first].isSwapped
    for number in first..<end {
      (prepared + number - first).initialize(
        to: FixedAngle(angles.baseAddress! + number, tile: tile, row: number, lanes: plane.lanes, shape: shape))
    }
    let length = isSwapped ? tile.height : tile.width, width = isSwapped ? tile.width : tile.height
    let bins = pairs + 4 * plane.lane * angles.count * shape.sinogramPitch
    var along = 0
    while along < length {
      var across = 0
      while across < width {
        for number in 0..<end - first {
          prepared[number].build(along, across, memory + tapsOffset + number * tapByteCount)
          prepared[number].fetch(along, across, bins, Lanes.byteCount)
        }
        accumulate(first, end, bins, column: isSwapped ? across : along, row: isSwapped ? along : across, Lanes.self)
        across += patchWidth
      }
      along += patchLength
    }
  }

  /// Adds some angles to a patch, two neighbours at a time. The first angles start from nothing, the last hand their
  /// sums to the target.
  @inline(__always) private mutating func accumulate<Lanes: PairLanes>(
    _ first: Int, _ end: Int, _ bins: UnsafeRawPointer, column: Int, row: Int, _: Lanes.Type
  ) {
    let isSwapped = angles[first].isSwapped
    let isFirst = first == 0, isLast = end == angles.count
    let right = isSwapped ? 0 : 1, below = 1 - right
    for pair in 0..<16 {
      let x = column + (isSwapped ? pair >> 2 : (pair & 3) * 2), y = row + (isSwapped ? (pair & 3) * 2 : pair >> 2)
      let near = memory + (y * Tile.pitch + x) * Lanes.byteCount
      let far = near + (below * Tile.pitch + right) * Lanes.byteCount
      nextTile.fetch()
      var a = Lanes(), b = Lanes()
      var tap = UnsafeRawPointer(memory + tapsOffset + 8 * pair)
      let stop = tap + (end - first) * tapByteCount
      while tap < stop {
        let placeA = Int(tap.load(fromByteOffset: tapByteCount / 2, as: Int32.self)),
          placeB = Int(tap.load(fromByteOffset: tapByteCount / 2 + 4, as: Int32.self))
        a.add(tap.load(as: Int32.self), cvector_address(bins + 8 * placeA)!)
        b.add(tap.load(fromByteOffset: 4, as: Int32.self), cvector_address(bins + 8 * placeB)!)
        tap += tapByteCount
      }
      var sumA = a.floats, sumB = b.floats
      if !isFirst {
        sumA = sumA + Lanes.Floats(near)
        sumB = sumB + Lanes.Floats(far)
      }
      if isLast {
        finish(sumA, x, y)
        finish(sumB, x + right, y + below)
      } else {
        sumA.store(near)
        sumB.store(far)
      }
    }
  }

  /// Patches may reach beyond the slice; what lies there is dropped.
  @inline(__always) private func finish<Floats: PlainLanes>(_ steps: Floats, _ x: Int, _ y: Int) {
    guard x < tile.width && y < tile.height else { return }
    let column = tile.column + x, row = tile.row + y
    let offset = (row * shape.volumePitch + column) * shape.pixelByteCount + 4 * plane.lane
    let sum = steps * Floats(units + plane.lane)
    if target.keepsSums {
      sum.store(buffer + (y * Tile.pitch + x) * shape.pixelByteCount + 4 * plane.lane)
      return
    }
    guard let update = target.update else {
      sum.store(target.next + offset)
      return
    }
    var value = Floats(update.x + offset)
    let scale = update.scales[row * update.scalesPitch + column]
    if scale != 0 {
      value = value + sum * scale
      if update.isNonNegative { value.cutAtZero() }
    }
    if update.streams { value.stream(target.next + offset) } else { value.store(target.next + offset) }
  }
}

/// The bins of a tile at one angle. Positions are whole numbers of 2⁻²⁵ bins from `bin`, so weights need no rounding
/// that differs between processors.
struct FixedAngle {
  /// Bins from (0, 0) of a patch to two lines of its pixels: `[across][along]`.
  private let offsets: Indices
  /// Of the tile's first pixel, and from a pixel to the next along the pairs and across them.
  private let position: Int32, along: Int32, across: Int32
  /// The bin of position 0.
  private let bin: Int32
  /// Twice the weights at position 0, and what they change by in a bin, of a bin (low half) and of the next: Joseph's
  /// weights times max(|cosine|, |sine|), that is 1 − distance / max(|cosine|, |sine|).
  private let weights: Int32, slopes: Int32
  /// Bits of a word's byte count over 8, and the place of bin 0.
  private let wordBits: Int32, place: Int32
  /// From a patch's first pixel to the pixel of the next patch that is the first to meet other bins.
  private let lead: Int32
  /// Bins that there are, and whether all of the tile's are among them.
  private let first: Int32, last: Int32
  private let isInside: Bool

  init(_ angle: UnsafePointer<BackAngle>, tile: Tile, row: Int, lanes: Int, shape: KernelShape) {
    let cosine = angle.pointee.cosine, sine = angle.pointee.sine, edge = Double(Tile.edge - 1)
    let along = angle.pointee.isSwapped ? -sine : cosine, across = angle.pointee.isSwapped ? cosine : -sine
    let corner = Double(tile.column) * cosine - Double(tile.row) * sine + angle.pointee.origin
    let lowest = (corner + edge * (min(0, cosine) + min(0, -sine)) - 0.01).rounded(.down)
    let highest = (corner + edge * (max(0, cosine) + max(0, -sine)) + 0.01).rounded(.down)
    let unit = Double(1 << positionBits)
    let stepAlong = (along * unit).rounded(), stepAcross = (across * unit).rounded()
    var offsets = Indices()
    for index in 0..<16 {
      offsets[index] = Int32(truncatingIfNeeded: Int(Double(index & 7) * stepAlong + Double(index >> 3) * stepAcross))
    }
    self.offsets = offsets
    self.along = Int32(truncatingIfNeeded: Int(stepAlong))
    self.across = Int32(truncatingIfNeeded: Int(stepAcross))
    let step = stepAcross < 0 ? min(0, stepAlong) : max(0, stepAlong)
    lead = Int32(
      truncatingIfNeeded: Int(Double(2 * patchWidth - 1) * stepAcross + Double(patchLength - 1) * step))
    position = Int32(truncatingIfNeeded: Int(((corner - lowest) * unit).rounded()))
    bin = Int32(truncatingIfNeeded: Int(lowest))
    let slope = Int32(
      truncatingIfNeeded: Int((2 * Double(fixedBackUnit) / max(abs(cosine), abs(sine))).rounded()))
    // One more, so that half of it is rounded.
    let weight = Int32(truncatingIfNeeded: 2 * fixedBackUnit + 1)
    weights = weight | ((weight &- slope) &<< 16)
    slopes = (-slope & 0xffff) | (slope &<< 16)
    wordBits = Int32(truncatingIfNeeded: (lanes / 2).trailingZeroBitCount)
    place = Int32(truncatingIfNeeded: (row * shape.sinogramPitch + sinogramMargin) * lanes / 2)
    first = -Int32(truncatingIfNeeded: sinogramMargin)
    last = Int32(truncatingIfNeeded: shape.columns + sinogramMargin - 1)
    isInside = lowest >= Double(first) && highest <= Double(last)
  }

  /// Asks for the bins that the next patch across meets and this one does not, three at most.
  @inline(__always) func fetch(_ along: Int, _ across: Int, _ bins: UnsafeRawPointer, _ wordByteCount: Int) {
    let positions = UInt32(bitPattern: corner(along, across) &+ lead)
    let bin = Int(Int32(truncatingIfNeeded: positions &>> UInt32(positionBits)) &+ self.bin)
    let step = self.across < 0 ? wordByteCount : -wordByteCount
    let first = bins + 8 * (Int(place) + bin &<< Int(wordBits))
    for number in 0..<3 {
      for line in 0..<wordByteCount / 64 { cvector_prefetch_near(first + number * step + 64 * line) }
    }
  }

  /// The position of a patch's first pixel.
  @inline(__always) private func corner(_ along: Int, _ across: Int) -> Int32 {
    position &+ Int32(truncatingIfNeeded: along) &* self.along &+ Int32(truncatingIfNeeded: across) &* self.across
  }

  /// Weights and places of a patch.
  @inline(__always) func build(_ along: Int, _ across: Int, _ tap: UnsafeMutableRawPointer) {
    let corner = corner(along, across)
    let offset = place &+ bin &<< wordBits
    for half in 0..<2 {
      let start = corner &+ Int32(truncatingIfNeeded: 2 * half) &* self.across
      let positions = unsafeBitCast(offsets &+ start, to: SIMD16<UInt32>.self)
      let fraction = unsafeBitCast(positions &>> UInt32(positionBits - 15), to: Indices.self) & 0x7fff
      let change = cvector_rounded_products(fraction | (fraction &<< 16), Indices(repeating: slopes))
      tap.storeBytes(
        of: cvector_half_sums(change, Indices(repeating: weights)), toByteOffset: 64 * half, as: Indices.self)
      var bins = unsafeBitCast(positions &>> UInt32(positionBits), to: Indices.self)
      if !isInside { bins = cvector_clamp16(bins &+ bin &- first, last &- first) &+ (first &- bin) }
      tap.storeBytes(
        of: (bins &<< wordBits) &+ offset, toByteOffset: tapByteCount / 2 + 64 * half, as: Indices.self)
    }
  }
}
