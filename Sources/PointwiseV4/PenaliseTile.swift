public import KernelTypes
public import PointwiseTypes

/// Writes the penalised update of a tile: the root x ≥ 0 of 2 f x² + g x − e = 0 with e = old · buffer, f = 2 β Σ w γ and
/// g = s − 2 β Σ w γ (old + neighbour), but at least factorMin · old. A pixel with s = 0 is copied.
///
/// `patch` holds the old pixels, `next` and `sums` (s, one value a pixel, rows `sumsPitch` apart) point at pixel (0, 0) of the block, and
/// `ranges[row]` is defined for every row of the slice and one more on each side.
public func penaliseTile(
  _ tile: Tile, buffer: UnsafeRawPointer, patch: UnsafeRawPointer, next: UnsafeMutableRawPointer, sums: UnsafePointer<Float>,
  sumsPitch: Int, ranges: UnsafePointer<ColumnRange>, penalty: TilePenalty, factorMin: Float, shape: KernelShape
) {
  let job = PenaltyJob(
    tile: tile, buffer: buffer, patch: patch, next: next, sums: sums, sumsPitch: sumsPitch, ranges: ranges, penalty: penalty,
    factorMin: factorMin, shape: shape)
  switch (shape.lanes % 16 == 0, penalty.inverseDelta == 0) {
  case (true, true): job.run(SIMD16<Float>.self, Quadratic.self)
  case (true, false): job.run(SIMD16<Float>.self, Hybrid.self)
  case (false, true): job.run(SIMD4<Float>.self, Quadratic.self)
  case (false, false): job.run(SIMD4<Float>.self, Hybrid.self)
  }
}

/// Weights of opposite neighbours of a pixel: left, right, up, down, then the diagonals.
private typealias Weights = SIMD8<Float>

/// 1 for a side and 1/√2 for a corner, divided by the sum of all eight.
private let innerWeights: Weights = {
  let total = 4 + 4 * Float(0.5).squareRoot()
  let side = 1 / total, corner = Float(0.5).squareRoot() / total
  return Weights(side, side, side, side, corner, corner, corner, corner)
}()

private struct PenaltyJob {
  let tile: Tile
  let buffer: UnsafeRawPointer
  let patch: UnsafeRawPointer
  let next: UnsafeMutableRawPointer
  let sums: UnsafePointer<Float>
  let sumsPitch: Int
  let ranges: UnsafePointer<ColumnRange>
  let penalty: TilePenalty
  let factorMin: Float
  let shape: KernelShape

  @inline(__always) func run<V: LaneVector, P: Potential>(_: V.Type, _: P.Type) {
    let pixel = shape.pixelByteCount, pitch = Patch.pitch, inner = innerWeights
    for row in 0..<tile.height {
      let y = tile.row + row
      let above = ranges[y - 1], here = ranges[y], below = ranges[y + 1]
      let innerFirst = Int(max(above.first, here.first, below.first)) + 1, innerEnd = Int(min(above.end, here.end, below.end)) - 1
      let target = next + (y * shape.volumePitch + tile.column) * pixel
      let old = patch + ((row + 1) * pitch + 1) * pixel
      for column in 0..<tile.width {
        let x = tile.column + column, offset = column * pixel
        let sum = sums[y * sumsPitch + x]
        if sum == 0 {
          (target + offset).copyMemory(from: old + offset, byteCount: pixel)
          continue
        }
        let back = buffer + (row * Tile.pitch + column) * pixel
        if x >= innerFirst && x < innerEnd {
          update(old + offset, back, target + offset, sum, inner, isEven: true, pitch * pixel, V.self, P.self)
        } else {
          let weights = edgeWeights(x, above, here, below)
          update(old + offset, back, target + offset, sum, weights, isEven: false, pitch * pixel, V.self, P.self)
        }
      }
    }
  }

  /// Neighbours that take no part weigh nothing.
  @inline(never) func edgeWeights(_ x: Int, _ above: ColumnRange, _ here: ColumnRange, _ below: ColumnRange) -> Weights {
    let column = Int32(truncatingIfNeeded: x)
    func has(_ range: ColumnRange, _ step: Int32) -> Float { range.first <= column + step && column + step < range.end ? 1 : 0 }
    return innerWeights
      * Weights(has(here, -1), has(here, 1), has(above, 0), has(below, 0), has(above, -1), has(below, 1), has(above, 1), has(below, -1))
  }

  @inline(__always) func update<V: LaneVector, P: Potential>(
    _ old: UnsafeRawPointer, _ back: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, _ sum: Float, _ weights: Weights,
    isEven: Bool, _ line: Int, _: V.Type, _: P.Type
  ) {
    let pixel = shape.pixelByteCount
    var lane = 0
    while lane < pixel {
      let centre = old + lane
      let x = vector(centre, V.self)
      var f = V(), g = V()
      P.add(
        x, vector(centre - pixel), vector(centre + pixel), vector(centre - line), vector(centre + line), weights.lowHalf, isEven,
        penalty.inverseDelta, &f, &g)
      P.add(
        x, vector(centre - line - pixel), vector(centre + line + pixel), vector(centre - line + pixel), vector(centre + line - pixel),
        weights.highHalf, isEven, penalty.inverseDelta, &f, &g)
      f *= penalty.doubledStrength
      let e = x * vector(back + lane, V.self)
      let linear = sum - f * x - penalty.doubledStrength * g
      let root = (linear * linear + 8 * (e * f)).squareRoots
      // Of the two forms of the root the one without cancellation. The last term keeps 0 / 0 away.
      let numerator = (e + e).whereNegative(linear, root - linear)
      let denominator = (linear + root).whereNegative(linear, 4 * f) + smallest
      let value = (numerator / denominator).raised(to: factorMin * x)
      target.storeBytes(of: value, toByteOffset: lane, as: V.self)
      lane += MemoryLayout<V>.size
    }
  }
}

/// Adds w γ to f and w γ · neighbour to g, for four neighbours; `isEven` where all four weigh the same.
private protocol Potential {
  static func add<V: LaneVector>(
    _ x: V, _ a: V, _ b: V, _ c: V, _ d: V, _ weights: SIMD4<Float>, _ isEven: Bool, _ inverseDelta: Float, _ f: inout V, _ g: inout V)
}

/// γ = 1
private enum Quadratic: Potential {
  @inline(__always) static func add<V: LaneVector>(
    _ x: V, _ a: V, _ b: V, _ c: V, _ d: V, _ weights: SIMD4<Float>, _ isEven: Bool, _ inverseDelta: Float, _ f: inout V, _ g: inout V
  ) {
    f += V(repeating: (weights[0] + weights[1]) + (weights[2] + weights[3]))
    g += isEven ? weights[0] * ((a + b) + (c + d)) : (weights[0] * a + weights[1] * b) + (weights[2] * c + weights[3] * d)
  }
}

/// γ = 1 / (1 + |x − neighbour| / δ). Sums of fractions over their common denominator, so that four take one division.
private enum Hybrid: Potential {
  @inline(__always) static func add<V: LaneVector>(
    _ x: V, _ a: V, _ b: V, _ c: V, _ d: V, _ weights: SIMD4<Float>, _ isEven: Bool, _ inverseDelta: Float, _ f: inout V, _ g: inout V
  ) {
    let da = 1 + (x - a).magnitude * inverseDelta, db = 1 + (x - b).magnitude * inverseDelta
    let dc = 1 + (x - c).magnitude * inverseDelta, dd = 1 + (x - d).magnitude * inverseDelta
    let ab = da * db, cd = dc * dd
    // Of each pair of opposite neighbours: 1 / γ of the other one, weighed.
    let (wa, wb) = isEven ? (db, da) : (weights[0] * db, weights[1] * da)
    let (wc, wd) = isEven ? (dd, dc) : (weights[2] * dd, weights[3] * dc)
    let inverse = V(repeating: isEven ? weights[0] : 1) / (ab * cd)
    f += ((wa + wb) * cd + (wc + wd) * ab) * inverse
    g += ((wa * a + wb * b) * cd + (wc * c + wd * d) * ab) * inverse
  }
}
