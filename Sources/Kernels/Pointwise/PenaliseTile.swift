import CVector
package import KernelTypes

/// Writes the penalised update of a tile: the root x ≥ 0 of 2 f x² + g x − e = 0 with e = old · buffer, f = 2 β Σ w γ
/// and g = s − 2 β Σ w γ (old + neighbour), but at least factorMin · old. A pixel with s = 0 is copied.
///
/// `old`, `next` and `sums` (s, one value a pixel, rows `sumsPitch` apart) point at pixel (0, 0) of the block; `old`
/// may be `next`, but with `streams`, which writes past the caches, it must not. `ranges[row]` is defined for every row
/// of the slice and one more on each side.
package func penaliseTile(
  _ tile: Tile, buffer: UnsafeRawPointer, old: UnsafeRawPointer, border: TileBorder, next: UnsafeMutableRawPointer,
  sums: UnsafePointer<Float>, sumsPitch: Int, ranges: UnsafePointer<ColumnRange>, penalty: TilePenalty,
  factorMin: Float,
  streams: Bool, shape: KernelShape
) {
  let job = PenaltyJob(
    tile: tile, buffer: buffer, old: old, border: border, next: next, sums: sums, sumsPitch: sumsPitch, ranges: ranges,
    side: penalty.doubledStrength * sideWeight, corner: penalty.doubledStrength * cornerWeight,
    inverseDelta: penalty.inverseDelta,
    factorMin: factorMin, streams: streams, shape: shape)
  switch (shape.lanes, penalty.inverseDelta == 0) {
  case (2, true): job.run(SIMD2<Float>.self, Quadratic.self)
  case (2, false): job.run(SIMD2<Float>.self, Hybrid.self)
  case (4, true): job.run(SIMD4<Float>.self, Quadratic.self)
  case (4, false): job.run(SIMD4<Float>.self, Hybrid.self)
  case (_, true): job.run(SIMD16<Float>.self, Quadratic.self)
  case (_, false): job.run(SIMD16<Float>.self, Hybrid.self)
  }
  if streams { cvector_stream_end() }
}

/// 1 for a side and 1/√2 for a corner, divided by the sum of all eight.
private let sideWeight: Float = 1 / (4 + 4 * Float(0.5).squareRoot())
private let cornerWeight: Float = Float(0.5).squareRoot() / (4 + 4 * Float(0.5).squareRoot())

private struct PenaltyJob {
  let tile: Tile
  let buffer: UnsafeRawPointer
  let old: UnsafeRawPointer
  let border: TileBorder
  let next: UnsafeMutableRawPointer
  let sums: UnsafePointer<Float>
  let sumsPitch: Int
  let ranges: UnsafePointer<ColumnRange>
  let side: Float, corner: Float
  let inverseDelta: Float
  let factorMin: Float
  let streams: Bool
  let shape: KernelShape

  /// The row above the tile only makes its pairs with the first one.
  @inline(__always) func run<V: LaneVector, P: Potential>(_: V.Type, _: P.Type) {
    for row in -1..<tile.height {
      var lane = 0
      while lane < shape.pixelByteCount {
        line(row, lane, V.self, P.self)
        lane += MemoryLayout<V>.size
      }
    }
  }

  /// Each pixel makes four pairs: right, below, below right, below left. The other four are its neighbours' pairs, so
  /// that each pair is computed once. From the pixel left of the tile to the one right of it; what lies beyond those is
  /// replaced by a pixel at hand, and its pairs are dropped. (Vectors in structs would be taken to pieces by the
  /// compiler.)
  @inline(__always) func line<V: LaneVector, P: Potential>(_ row: Int, _ lane: Int, _: V.Type, _: P.Type) {
    let pixel = shape.pixelByteCount
    let (hereStart, here) = pixels(row, lane), (belowStart, below) = pixels(row + 1, lane)
    let hereRange = ranges[tile.row + row], belowRange = ranges[tile.row + row + 1]
    let innerFirst = Int(max(hereRange.first, belowRange.first)) + 1,
      innerEnd = Int(min(hereRange.end, belowRange.end)) - 1
    let handed = border.sums + lane
    var x: V = vector(hereStart), straight: V = vector(belowStart), left = straight
    // What pairs with pixels left of this one give it, and what the row below has so far, at the column to the left and
    // at this one.
    var fromLeft = V(), fromLeftPull = V(), toLeft = V(), toLeftPull = V(), toHere = V(), toHerePull = V()
    // The root of a pixel is taken beside the pairs of the next one: each alone is a long chain of dependent steps.
    var old = V(), f = V(), pull = V()
    for column in -1...tile.width {
      let isLast = column == tile.width
      let next: V = isLast ? x : vector(here + (column + 1) * pixel)
      let right: V = isLast ? straight : vector(below + (column + 1) * pixel)
      var a = x - next, b = x - straight, c = x - right, d = x - left
      var wa = V(), wb = V(), wc = V(), wd = V()
      P.weigh(a, b, c, d, side, corner, inverseDelta, &wa, &wb, &wc, &wd)
      if tile.column + column < innerFirst || tile.column + column >= innerEnd {
        let parts = parts(tile.column + column, hereRange, belowRange)
        wa *= parts[0]
        wb *= parts[1]
        wc *= parts[2]
        wd *= parts[3]
      }
      a *= wa
      b *= wb
      c *= wc
      d *= wd
      if column > 0 && row >= 0 { finish(old, f, pull, row, column - 1, lane) }
      if column >= 0 && !isLast {
        let above: V = vector(handed + column * pixel), abovePull: V = vector(handed + (Tile.edge + column) * pixel)
        f = (above + fromLeft) + ((wa + wb) + (wc + wd))
        pull = ((a + b) + (c + d)) - (abovePull + fromLeftPull)
        old = x
      }
      if column > 0 {
        handed.storeBytes(of: toLeft + wd, toByteOffset: (column - 1) * pixel, as: V.self)
        handed.storeBytes(of: toLeftPull + d, toByteOffset: (Tile.edge + column - 1) * pixel, as: V.self)
      }
      if column == tile.width - 1 && row >= 0 {
        border.left.storeBytes(of: x, toByteOffset: row * pixel + lane, as: V.self)
      }
      (toLeft, toLeftPull, toHere, toHerePull) = (toHere + wb, toHerePull + b, wc, c)
      (fromLeft, fromLeftPull) = (wa, a)
      (x, left, straight) = (next, straight, right)
    }
  }

  /// The old pixel left of the tile and the tile's first one in a row, −1 … height.
  @inline(__always) func pixels(_ row: Int, _ lane: Int) -> (left: UnsafeRawPointer, first: UnsafeRawPointer) {
    let pixel = shape.pixelByteCount
    if row < 0 { return (border.above + lane, border.above + (pixel + lane)) }
    if row == tile.height { return (border.below + lane, border.below + (pixel + lane)) }
    let first = old + (((tile.row + row) * shape.volumePitch + tile.column) * pixel + lane)
    return (UnsafeRawPointer(border.left) + (row * pixel + lane), first)
  }

  /// 1 for each pair of which both pixels take part, 0 for the others.
  @inline(never) func parts(_ x: Int, _ here: ColumnRange, _ below: ColumnRange) -> SIMD4<Float> {
    func has(_ range: ColumnRange, _ x: Int) -> Bool { range.first <= x && x < range.end }
    func part(_ range: ColumnRange, _ other: Int) -> Float { has(here, x) && has(range, other) ? 1 : 0 }
    return SIMD4(part(here, x + 1), part(below, x), part(below, x + 1), part(below, x - 1))
  }

  /// Σ w γ (old + neighbour) is 2 f · old less the pull Σ w γ (old − neighbour).
  @inline(__always) func finish<V: LaneVector>(_ x: V, _ f: V, _ pull: V, _ row: Int, _ column: Int, _ lane: Int) {
    let pixel = shape.pixelByteCount, y = tile.row + row
    let target = next + ((y * shape.volumePitch + tile.column + column) * pixel + lane)
    let sum = sums[y * sumsPitch + tile.column + column]
    if sum == 0 { return x.store(target, streams: streams) }
    let e = x * vector(buffer + ((row * Tile.pitch + column) * pixel + lane), V.self)
    let linear = (sum - (f + f) * x) + pull
    let root = (linear * linear + 8 * (e * f)).squareRoots
    // Of the two forms of the root the one without cancellation. The last term keeps 0 / 0 away.
    let numerator = (e + e).whereNegative(linear, root - linear)
    let denominator = (linear + root).whereNegative(linear, 4 * f) + smallest
    (numerator / denominator).raised(to: factorMin * x).store(target, streams: streams)
  }
}

/// Gives 2 β w γ of differences to two sides, a and b, and to two corners, c and d.
private protocol Potential {
  static func weigh<V: LaneVector>(
    _ a: V, _ b: V, _ c: V, _ d: V, _ side: Float, _ corner: Float, _ inverseDelta: Float, _ wa: inout V, _ wb: inout V,
    _ wc: inout V, _ wd: inout V)
}

/// γ = 1
private enum Quadratic: Potential {
  @inline(__always) static func weigh<V: LaneVector>(
    _ a: V, _ b: V, _ c: V, _ d: V, _ side: Float, _ corner: Float, _ inverseDelta: Float, _ wa: inout V, _ wb: inout V,
    _ wc: inout V, _ wd: inout V
  ) {
    (wa, wb) = (V(repeating: side), V(repeating: side))
    (wc, wd) = (V(repeating: corner), V(repeating: corner))
  }
}

/// γ = 1 / (1 + |difference| / δ). Fractions over their common denominator, so that four take one division.
private enum Hybrid: Potential {
  @inline(__always) static func weigh<V: LaneVector>(
    _ a: V, _ b: V, _ c: V, _ d: V, _ side: Float, _ corner: Float, _ inverseDelta: Float, _ wa: inout V, _ wb: inout V,
    _ wc: inout V, _ wd: inout V
  ) {
    let da = 1 + a.magnitude * inverseDelta, db = 1 + b.magnitude * inverseDelta
    let dc = 1 + c.magnitude * inverseDelta, dd = 1 + d.magnitude * inverseDelta
    let ab = da * db, cd = dc * dd
    let inverse = V(repeating: 1) / (ab * cd)
    let sides = (side * inverse) * cd, corners = (corner * inverse) * ab
    wa = sides * db
    wb = sides * da
    wc = corners * dd
    wd = corners * dc
  }
}
