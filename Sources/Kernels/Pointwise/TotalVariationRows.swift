import CVector
package import KernelTypes

// The two halves of a step on the dual of isotropic total variation (A. Chambolle, J. Math. Imaging Vis. 20, 2004; as
// projected gradient, A. Beck and M. Teboulle, IEEE Trans. Image Process. 18, 2009), row by row. Nothing is fused or
// approximate, so the bits are the same at every x86-64 level. No value depends on another lane's.

/// Writes d = z + τ λ div p into `target`, whole vectors, and repeats the last pixel right of it.
package func primalRow(_ row: PrimalRow, into target: LaneRow) {
  row.forEachVector { index, value in
    if row.ahead != 0 {
      cvector_prefetch_write(row.data.start + (index * row.data.stride + row.ahead))
      cvector_prefetch_write(row.dual.start + (index * row.dual.stride + row.ahead))
    }
    (target.start + index * target.stride).storeBytes(of: value, as: Vector.self)
  }
  let size = min(16, row.shape.lanes) * MemoryLayout<Float>.stride
  let end = target.start + ((row.shape.count - 1) * target.stride + row.shape.tail * MemoryLayout<Float>.stride)
  end.copyMemory(from: end - size, byteCount: size)
}

/// Replaces z by x = z + τ λ div p, cut at zero if asked; with `previous`, replaces that by x, and z by x + momentum (x
/// − previous).
package func finishedRow(_ row: PrimalRow, previous: LaneRow?, momentum: Float, isNonNegative: Bool) {
  switch (previous, isNonNegative) {
  case (let previous?, true): row.finish(previous, momentum, isNonNegative: true)
  case (let previous?, false): row.finish(previous, momentum, isNonNegative: false)
  case (nil, true): row.finish(isNonNegative: true)
  case (nil, false): row.finish(isNonNegative: false)
  }
}

/// Writes p of the next step into `target`. With `tail`, the last vector has only so many values; else it is whole.
package func dualRow(_ row: DualRow, into target: LaneRow, tail: Int) {
  let neighbour = row.shape.neighbour(stride: row.primal.stride)
  let step: Vector = values(row.steps), shrink: Vector = values(row.shrinks)
  for index in 0..<row.shape.count {
    let place = index * row.primal.stride
    let here = pairs(row.dual, index), d = values(row.primal.start + place)
    let down = (cvector_low16(here) + step * (values(row.below + place) - d)) * shrink
    let right = (cvector_high16(here) + step * (values(row.primal.start + (place + neighbour)) - d)) * shrink
    let squared = (down * down + right * right) * inverseOne
    let one = Vector(repeating: 1)
    let factor = one / squared.whereNegative(squared - one, one).squareRoots
    store(
      cvector_halves16(down * factor, right * factor), target, index, tail: index == row.shape.count - 1 ? tail : 16)
  }
}

/// 1 / 32,767²
private let inverseOne: Float = 1 / (32_767 * 32_767)

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

  @inline(__always) fileprivate func finish(_ previous: LaneRow, _ momentum: Float, isNonNegative: Bool) {
    forEachVector { index, value in
      let x = isNonNegative ? value.positive : value
      if ahead != 0 { cvector_prefetch_write(previous.start + (index * previous.stride + ahead)) }
      let change = x - values(previous.start + index * previous.stride)
      let tail = index == shape.count - 1 ? shape.tail : 16
      store(x, previous, index, tail: tail)
      store(x + change * momentum, data, index, tail: tail)
    }
  }

  @inline(__always) fileprivate func finish(isNonNegative: Bool) {
    forEachVector { index, value in
      store(
        isNonNegative ? value.positive : value, data, index, tail: index == shape.count - 1 ? shape.tail : 16)
    }
  }
}

extension UnsafePointer<Float> {
  @inline(__always) fileprivate var eight: SIMD8<Float> { UnsafeRawPointer(self).loadUnaligned(as: SIMD8<Float>.self) }
  @inline(__always) fileprivate var four: SIMD4<Float> { UnsafeRawPointer(self).loadUnaligned(as: SIMD4<Float>.self) }
}
