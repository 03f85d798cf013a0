import CVector
package import KernelTypes

// The two halves of a step on the dual of isotropic total variation (A. Chambolle, J. Math. Imaging Vis. 20, 2004; as
// projected gradient, A. Beck and M. Teboulle, IEEE Trans. Image Process. 18, 2009), row by row. Nothing is fused or
// approximate, so the bits are the same at every x86-64 level. No value depends on another lane's.

/// Writes d = z + τ λ div p into `target`, whole vectors, and repeats the last pixel right of it.
package func primalRow(_ row: PrimalRow, into target: LaneRow) {
  row.forEachVector { index, value in
    (target.start + index * target.stride).storeBytes(of: value, as: Vector.self)
  }
  row.repeatLast(of: target)
}

/// Replaces z by x = z + τ λ div p, cut at zero if asked; with `previous`, replaces that by x, and z by x + momentum (x
/// − previous).
package func finishedRow(_ row: PrimalRow, previous: LaneRow?, momentum: Float, isNonNegative: Bool) {
  let shape = row.shape
  func tail(_ index: Int) -> Int { index == shape.count - 1 ? shape.tail : 16 }
  switch (previous, isNonNegative) {
  case (let previous?, true):
    row.forEachVector { row.finish($0, $1, previous, momentum, isNonNegative: true, tail: tail($0)) }
  case (let previous?, false):
    row.forEachVector { row.finish($0, $1, previous, momentum, isNonNegative: false, tail: tail($0)) }
  case (nil, true): row.forEachVector { row.finish($0, $1, isNonNegative: true, tail: tail($0)) }
  case (nil, false): row.forEachVector { row.finish($0, $1, isNonNegative: false, tail: tail($0)) }
  }
}

/// Writes p of the next step into `target`. With `tail`, the last vector has only so many values; else it is whole.
package func dualRow(_ row: DualRow, into target: LaneRow, tail: Int) {
  let neighbour = row.shape.neighbour(stride: row.primal.stride)
  let step: Vector = values(row.steps), shrink: Vector = values(row.shrinks)
  for index in 0..<row.shape.count {
    let next: Vector = values(row.primal.start + (index * row.primal.stride + neighbour))
    store(row.value(index, step, shrink, next), target, index, tail: index == row.shape.count - 1 ? tail : 16)
  }
}

// A dual step and what the new p of the row gives, in one: the divider, which a root and a division keep busy, works
// beside all the rest, and p stays in registers. For blocks of sixteen lanes and more.

/// `dualRow` and then `primalRow` of the same row's new p, into `difference`.
package func steppedRow(_ row: DualRow, into target: LaneRow, next: PrimalRow, difference: LaneRow) {
  row.forEachVector(target, next) { index, value in
    (difference.start + index * difference.stride).storeBytes(of: value, as: Vector.self)
  }
  next.repeatLast(of: difference)
}

/// `dualRow` and then `finishedRow` of the same row's new p.
package func lastRow(
  _ row: DualRow, into target: LaneRow, next: PrimalRow, previous: LaneRow?, momentum: Float, isNonNegative: Bool
) {
  switch (previous, isNonNegative) {
  case (let previous?, true):
    row.forEachVector(target, next) { next.finish($0, $1, previous, momentum, isNonNegative: true, tail: 16) }
  case (let previous?, false):
    row.forEachVector(target, next) { next.finish($0, $1, previous, momentum, isNonNegative: false, tail: 16) }
  case (nil, true): row.forEachVector(target, next) { next.finish($0, $1, isNonNegative: true, tail: 16) }
  case (nil, false): row.forEachVector(target, next) { next.finish($0, $1, isNonNegative: false, tail: 16) }
  }
}

/// What stands for 1 in p.
private let one: Float = 32_767

@inline(__always) private func values(_ address: UnsafeRawPointer) -> Vector { address.loadUnaligned(as: Vector.self) }

@inline(__always) private func pairs(_ row: LaneRow, _ index: Int) -> Indices {
  (row.start + index * row.stride).loadUnaligned(as: Indices.self)
}

/// Stores sixteen values, or the first of them.
@inline(__always) private func store<V: SIMD>(_ x: V, _ row: LaneRow, _ index: Int, tail: Int) {
  let address = row.start + index * row.stride
  if tail == 16 { return address.storeBytes(of: x, as: V.self) }
  withUnsafeBytes(of: x) {
    address.copyMemory(from: $0.baseAddress!, byteCount: tail * MemoryLayout<V.Scalar>.stride)
  }
}

extension PrimalRow {
  /// Calls `body` with sixteen values of d at a time.
  @inline(__always) fileprivate func forEachVector(_ body: (_ index: Int, _ value: Vector) -> Void) {
    switch shape.lanes {
    case 2: forEachVector(steps: { cvector_twice8((steps + 8 * $0).eight) }, isFlat: true, body)
    case 4: forEachVector(steps: { cvector_spread4((steps + 4 * $0).four) }, isFlat: true, body)
    default: forEachVector(steps: { Vector(repeating: steps[$0]) }, isFlat: false, body)
    }
  }

  @inline(__always) private func forEachVector(
    steps: (Int) -> Vector, isFlat: Bool, _ body: (_ index: Int, _ value: Vector) -> Void
  ) {
    let weight: Vector = values(weights), left = dual.start - shape.neighbour(stride: dual.stride)
    var before = cvector_high16(left.loadUnaligned(as: Indices.self))
    for index in 0..<shape.count {
      let here = pairs(dual, index), right = cvector_high16(here)
      if isFlat { before = cvector_high16((left + index * dual.stride).loadUnaligned(as: Indices.self)) }
      let divergence = (cvector_low16(here) - cvector_low16(pairs(above, index))) + (right - before)
      before = right
      body(index, values(data.start + index * data.stride) + (steps(index) * weight) * divergence)
    }
  }

  /// Writes sixteen values of x, and what is extrapolated from them.
  @inline(__always) fileprivate func finish(
    _ index: Int, _ value: Vector, _ previous: LaneRow, _ momentum: Float, isNonNegative: Bool, tail: Int
  ) {
    let x = isNonNegative ? value.positive : value, address = previous.start + index * previous.stride
    let change = x - values(address)
    store(x, previous, index, tail: tail)
    store(x + change * momentum, data, index, tail: tail)
  }

  @inline(__always) fileprivate func finish(_ index: Int, _ value: Vector, isNonNegative: Bool, tail: Int) {
    store(isNonNegative ? value.positive : value, data, index, tail: tail)
  }

  /// Repeats the last pixel of a row of d right of it.
  @inline(__always) fileprivate func repeatLast(of target: LaneRow) {
    let size = min(16, shape.lanes) * MemoryLayout<Float>.stride
    let end = target.start + ((shape.count - 1) * target.stride + shape.tail * MemoryLayout<Float>.stride)
    end.copyMemory(from: end - size, byteCount: size)
  }
}

extension DualRow {
  /// Sixteen pairs of p after the step; `next` is d of the pixels to the right.
  @inline(__always) fileprivate func value(_ index: Int, _ step: Vector, _ shrink: Vector, _ next: Vector) -> Indices {
    let place = index * primal.stride
    let here = pairs(dual, index), d: Vector = values(primal.start + place)
    let down = (cvector_low16(here) + step * (values(below + place) - d)) * shrink
    let right = (cvector_high16(here) + step * (next - d)) * shrink
    let factor = one / cvector_at_least16(down * down + right * right, one * one).squareRoots
    return cvector_halves16(down * factor, right * factor)
  }

  /// Writes p after the step, whole pixels, and calls `body` with z + τ λ div p of it, as `next` has it.
  @inline(__always) fileprivate func forEachVector(
    _ target: LaneRow, _ next: PrimalRow, _ body: (_ index: Int, _ value: Vector) -> Void
  ) {
    let step: Vector = values(steps), shrink: Vector = values(shrinks), weight: Vector = values(next.weights)
    var before = cvector_high16((target.start - target.stride).loadUnaligned(as: Indices.self))
    for index in 0..<shape.count {
      cvector_prefetch_write(wanted.start + index * wanted.stride)
      cvector_prefetch_write(next.wanted.start + index * next.wanted.stride)
      let p = value(index, step, shrink, values(primal.start + (index + 1) * primal.stride))
      (target.start + index * target.stride).storeBytes(of: p, as: Indices.self)
      let right = cvector_high16(p)
      let divergence = (cvector_low16(p) - cvector_low16(pairs(next.above, index))) + (right - before)
      before = right
      let z: Vector = values(next.data.start + index * next.data.stride)
      body(index, z + (next.steps[index] * weight) * divergence)
    }
  }
}

extension UnsafePointer<Float> {
  @inline(__always) fileprivate var eight: SIMD8<Float> { UnsafeRawPointer(self).loadUnaligned(as: SIMD8<Float>.self) }
  @inline(__always) fileprivate var four: SIMD4<Float> { UnsafeRawPointer(self).loadUnaligned(as: SIMD4<Float>.self) }
}
