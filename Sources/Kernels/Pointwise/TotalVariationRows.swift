import CVector
package import KernelTypes

// The two halves of a step on the dual of isotropic total variation (A. Chambolle, J. Math. Imaging Vis. 20, 2004; as
// projected gradient, A. Beck and M. Teboulle, IEEE Trans. Image Process. 18, 2009), row by row. Between two steps d is
// kept as 32,767 σ d, so that p and differences of d are in the same unit. Nothing is fused or approximate, so the bits
// are the same at every x86-64 level. No value depends on another lane's.

/// Writes 32,767 σ d of a row into `target`, whole vectors, and repeats the last pixel right of it.
package func primalRow(_ row: PrimalRow, into target: UnsafeMutableRawPointer) {
  if row.dual.right == nil {
    row.makeDifferences(Pairs(row.dual), target)
  } else {
    row.makeDifferences(Parts(row.dual), target)
  }
  row.repeatLast(of: target)
}

/// Replaces z by x, from pairs of p; with a volume before, that by x and z by x + momentum (x − previous).
package func finishedRow(_ row: PrimalRow, into target: VariationTarget) {
  let dual = Pairs(row.dual), pixel = row.shape.pixelByteCount
  row.forEachVector { offset, group, step in
    let divergence =
      (dual.shiftedDown(offset) - dual.shiftedDown(row.above, offset))
      + (dual.shiftedRight(offset) - dual.shiftedRight(offset - pixel))
    row.finish(
      offset, step * values(row.factors.weights + group), divergence, target, tail: row.shape.tail(at: offset))
  }
}

/// Writes p of the next step into `target`. With `tail`, the last vector has only so many values; else it is whole.
package func dualRow(_ row: DualRow, into target: DualValues, tail: Int) {
  let shape = row.shape, last = (shape.count - 1) * 64
  func length(_ offset: Int) -> Int { offset == last ? tail : 16 }
  switch (row.dual.right == nil, target.right) {
  case (true, nil): row.forEachStep(Pairs(row.dual)) { _ = storePairs($1, $2, target.start + $0, tail: length($0)) }
  case (false, nil): row.forEachStep(Parts(row.dual)) { _ = storePairs($1, $2, target.start + $0, tail: length($0)) }
  case (true, let right?): row.forEachStep(Pairs(row.dual)) { storeParts($1, $2, target.start + $0, right + $0) }
  case (false, let right?): row.forEachStep(Parts(row.dual)) { storeParts($1, $2, target.start + $0, right + $0) }
  }
}

// A dual step and what the new p of the row gives, in one: the divider, which a root and a division keep busy, works
// beside all the rest, and p stays in registers. For blocks of sixteen lanes and more.

/// `dualRow` into floats, and then `primalRow` of the same row's new p, into `difference`.
package func steppedRow(_ row: DualRow, next: PrimalRow, difference: UnsafeMutableRawPointer) {
  if row.dual.right == nil {
    row.makeStep(Pairs(row.dual), next, difference)
  } else {
    row.makeStep(Parts(row.dual), next, difference)
  }
  next.repeatLast(of: difference)
}

/// `dualRow` into pairs, and then `finishedRow` of the same row's new p.
package func lastRow(_ row: DualRow, next: PrimalRow, into target: VariationTarget) {
  switch (row.dual.right == nil, target.previous == nil) {
  case (true, true): row.makeLast(Pairs(row.dual), next, target, isExtrapolated: false)
  case (true, false): row.makeLast(Pairs(row.dual), next, target, isExtrapolated: true)
  case (false, true): row.makeLast(Parts(row.dual), next, target, isExtrapolated: false)
  case (false, false): row.makeLast(Parts(row.dual), next, target, isExtrapolated: true)
  }
}

/// What stands for 1 in p.
private let one: Float = 32_767

@inline(__always) private func values(_ address: UnsafeRawPointer) -> Vector { address.loadUnaligned(as: Vector.self) }

/// Stores sixteen values, or the first of them.
@inline(__always) private func store<V: SIMD>(_ x: V, _ address: UnsafeMutableRawPointer, tail: Int) {
  if tail == 16 { return address.storeBytes(of: x, as: V.self) }
  withUnsafeBytes(of: x) {
    address.copyMemory(from: $0.baseAddress!, byteCount: tail * MemoryLayout<V.Scalar>.stride)
  }
}

/// Stores pairs; returns what they hold, as `Pairs` gives it.
@inline(__always) private func storePairs(
  _ down: Vector, _ right: Vector, _ address: UnsafeMutableRawPointer, tail: Int = 16
) -> (down: Vector, right: Vector) {
  let whole = (down: cvector_rounded16(down), right: cvector_rounded16(right))
  store(cvector_halves16(whole.down, whole.right), address, tail: tail)
  return whole
}

@inline(__always) private func storeParts(
  _ down: Vector, _ right: Vector, _ downAddress: UnsafeMutableRawPointer, _ rightAddress: UnsafeMutableRawPointer
) {
  downAddress.storeBytes(of: down, as: Vector.self)
  rightAddress.storeBytes(of: right, as: Vector.self)
}

/// How p is kept.
private protocol DualForm {
  func down(_ offset: Int) -> Vector
  func right(_ offset: Int) -> Vector
  /// More by a constant, which differences do not see.
  func shiftedDown(_ offset: Int) -> Vector
  func shiftedDown(_ above: UnsafeRawPointer, _ offset: Int) -> Vector
  func shiftedRight(_ offset: Int) -> Vector
}

private struct Pairs: DualForm {
  let start: UnsafeRawPointer

  @inline(__always) init(_ row: DualValues) { start = UnsafeRawPointer(row.start) }
  @inline(__always) private func pairs(_ address: UnsafeRawPointer) -> Indices {
    address.loadUnaligned(as: Indices.self)
  }
  @inline(__always) func down(_ offset: Int) -> Vector { cvector_low16(pairs(start + offset)) }
  @inline(__always) func right(_ offset: Int) -> Vector { cvector_high16(pairs(start + offset)) }
  @inline(__always) func shiftedDown(_ offset: Int) -> Vector { shiftedDown(start, offset) }
  @inline(__always) func shiftedDown(_ above: UnsafeRawPointer, _ offset: Int) -> Vector {
    cvector_low_rounded16(pairs(above + offset))
  }
  @inline(__always) func shiftedRight(_ offset: Int) -> Vector { cvector_high_rounded16(pairs(start + offset)) }
}

private struct Parts: DualForm {
  let downs: UnsafeRawPointer, rights: UnsafeRawPointer

  @inline(__always) init(_ row: DualValues) {
    (downs, rights) = (UnsafeRawPointer(row.start), UnsafeRawPointer(row.right.unsafelyUnwrapped))
  }
  @inline(__always) func down(_ offset: Int) -> Vector { values(downs + offset) }
  @inline(__always) func right(_ offset: Int) -> Vector { values(rights + offset) }
  @inline(__always) func shiftedDown(_ offset: Int) -> Vector { values(downs + offset) }
  @inline(__always) func shiftedDown(_ above: UnsafeRawPointer, _ offset: Int) -> Vector { values(above + offset) }
  @inline(__always) func shiftedRight(_ offset: Int) -> Vector { values(rights + offset) }
}

extension LaneRowShape {
  /// Values that belong to the row from `offset` on, of sixteen.
  @inline(__always) fileprivate func tail(at offset: Int) -> Int { offset == (count - 1) * 64 ? tail : 16 }

  /// Calls `body` with the offset of sixteen values at a time, and which lanes they are.
  @inline(__always) fileprivate func forEachVector(_ body: (_ offset: Int, _ column: Int, _ lane: Int) -> Void) {
    guard lanes >= 16 else {
      for index in 0..<count { body(64 * index, 0, 0) }
      return
    }
    var offset = 0
    for column in 0..<columns {
      var lane = 0
      while lane < lanes {
        body(offset, column, lane)
        lane &+= 16
        offset &+= 64
      }
    }
  }
}

extension PrimalRow {
  /// Calls `body` with the offset of sixteen values, their first lane, and their τ.
  @inline(__always) fileprivate func forEachVector(_ body: (_ offset: Int, _ lane: Int, _ step: Vector) -> Void) {
    switch shape.lanes {
    case 2: shape.forEachVector { offset, _, _ in body(offset, 0, cvector_twice8((steps + offset / 8).eight)) }
    case 4: shape.forEachVector { offset, _, _ in body(offset, 0, cvector_spread4((steps + offset / 16).four)) }
    default: shape.forEachVector { offset, column, lane in body(offset, lane, Vector(repeating: steps[column])) }
    }
  }

  @inline(__always) fileprivate func makeDifferences(_ dual: some DualForm, _ target: UnsafeMutableRawPointer) {
    let pixel = shape.pixelByteCount
    forEachVector { offset, lane, step in
      let divergence =
        (dual.shiftedDown(offset) - dual.shiftedDown(above, offset))
        + (dual.shiftedRight(offset) - dual.shiftedRight(offset - pixel))
      (target + offset).storeBytes(of: difference(offset, lane, step, divergence), as: Vector.self)
    }
  }

  /// 32,767 σ d
  @inline(__always) fileprivate func difference(
    _ offset: Int, _ lane: Int, _ step: Vector, _ divergence: Vector
  ) -> Vector {
    values(factors.scales + lane) * values(data + offset) + (step * factors.ratio) * divergence
  }

  /// Writes sixteen values of x, and what is extrapolated from them; `weight` is τ λ.
  @inline(__always) fileprivate func finish(
    _ offset: Int, _ weight: Vector, _ divergence: Vector, _ target: VariationTarget, tail: Int,
    isExtrapolated: Bool = true
  ) {
    let x = cvector_cut16(values(data + offset) + weight * divergence, target.least)
    guard isExtrapolated, let previous = target.previous else { return store(x, data + offset, tail: tail) }
    let change = x - values(previous + offset)
    store(x, previous + offset, tail: tail)
    store(x + change * target.momentum, data + offset, tail: tail)
  }

  /// Repeats the last pixel of a row of d right of it.
  @inline(__always) fileprivate func repeatLast(of target: UnsafeMutableRawPointer) {
    let pixel = shape.pixelByteCount, end = target + shape.columns * pixel
    end.copyMemory(from: end - pixel, byteCount: pixel)
  }
}

extension DualRow {
  /// Sixteen values of p after the step, down and right.
  @inline(__always) private func stepped(_ dual: some DualForm, _ offset: Int, _ lane: Int) -> (Vector, Vector) {
    let d = values(primal + offset)
    let down = dual.down(offset) + (values(below + offset) - d)
    let right = dual.right(offset) + (values(primal + (offset + shape.pixelByteCount)) - d)
    let squared = cvector_larger16(down * down + right * right, values(factors.bounds + lane))
    let factor = one / squared.squareRoots
    return (down * factor, right * factor)
  }

  @inline(__always) fileprivate func forEachStep(
    _ dual: some DualForm, _ body: (_ offset: Int, _ down: Vector, _ right: Vector) -> Void
  ) {
    shape.forEachVector { offset, _, lane in
      let p = stepped(dual, offset, lane)
      body(offset, p.0, p.1)
    }
  }

  @inline(__always) fileprivate func makeStep(
    _ dual: some DualForm, _ next: PrimalRow, _ difference: UnsafeMutableRawPointer
  ) {
    let pixel = shape.pixelByteCount, rights = next.dual.right.unsafelyUnwrapped
    next.forEachVector { offset, lane, step in
      cvector_prefetch_write(wanted + offset)
      cvector_prefetch_write(next.wanted + offset)
      let (down, right) = stepped(dual, offset, lane)
      storeParts(down, right, next.dual.start + offset, rights + offset)
      let divergence = (down - values(next.above + offset)) + (right - values(rights + (offset - pixel)))
      (difference + offset).storeBytes(of: next.difference(offset, lane, step, divergence), as: Vector.self)
    }
  }

  @inline(__always) fileprivate func makeLast(
    _ dual: some DualForm, _ next: PrimalRow, _ target: VariationTarget, isExtrapolated: Bool
  ) {
    let pixel = shape.pixelByteCount, pairs = Pairs(next.dual)
    next.forEachVector { offset, lane, step in
      cvector_prefetch_write(wanted + offset)
      let (down, right) = stepped(dual, offset, lane)
      let whole = storePairs(down, right, next.dual.start + offset)
      let divergence =
        (whole.down - pairs.shiftedDown(next.above, offset)) + (whole.right - pairs.shiftedRight(offset - pixel))
      next.finish(
        offset, step * values(next.factors.weights + lane), divergence, target, tail: 16,
        isExtrapolated: isExtrapolated)
    }
  }
}

extension UnsafePointer<Float> {
  @inline(__always) fileprivate var eight: SIMD8<Float> { UnsafeRawPointer(self).loadUnaligned(as: SIMD8<Float>.self) }
  @inline(__always) fileprivate var four: SIMD4<Float> { UnsafeRawPointer(self).loadUnaligned(as: SIMD4<Float>.self) }
}
