import CVector
package import KernelTypes

// The two halves of a step on the dual of total variation that is isotropic over x, y and the slices: as in
// `TotalVariationRows`, with a third difference, to the next lane. Nothing is fused or approximate.

/// Writes d = z + τ div (λ p) of a row into `target`, and repeats the last pixel right of it.
package func slabPrimalRow(_ row: SlabRow, into target: UnsafeMutableRawPointer) {
  row.forEachVector { offset, value in (target + offset).storeBytes(of: value, as: Vector.self) }
  let pixel = row.pixelByteCount, end = target + row.columns * pixel
  end.copyMemory(from: end - pixel, byteCount: pixel)
}

/// Replaces p of a row by q / max(1 + σ ε, |q|), q = p + σ ∇d. `primal` is d of the row, with a pixel more on the
/// right, and `below` that of the one below it.
package func slabDualRow(_ row: SlabRow, primal: UnsafeRawPointer, below: UnsafeRawPointer) {
  let pixel = row.pixelByteCount, factors = row.factors
  row.forEachOffset { offset, _, lane in
    let step: Vector = values(factors.steps + lane), stepAcross: Vector = values(factors.stepsAcross + lane)
    let here = (row.dual + offset).loadUnaligned(as: Indices.self), d: Vector = values(primal + offset)
    let down = cvector_low16(here) + step * (values(below + offset) - d)
    let right = cvector_high16(here) + step * (values(primal + (offset + pixel)) - d)
    let next: Vector = values(primal + (offset + MemoryLayout<Float>.stride))
    let across = values(row.across + offset) + stepAcross * (next - d)
    let squared = cvector_larger16(
      (down * down + right * right) + across * across, values(factors.bounds + lane))
    let factor = one / squared.squareRoots
    let pairs = cvector_halves16(cvector_rounded16(down * factor), cvector_rounded16(right * factor))
    (row.dual + offset).storeBytes(of: pairs, as: Indices.self)
    (row.across + offset).storeBytes(of: across * factor, as: Vector.self)
  }
}

/// Replaces `previous` by x = z + τ div (λ p), cut at zero if asked, and z by x + momentum (x − previous).
package func slabFinishedRow(
  _ row: SlabRow, previous: UnsafeMutableRawPointer, momentum: Float, isNonNegative: Bool
) {
  row.forEachVector { offset, value in
    let x = isNonNegative ? value.positive : value, change = x - values(previous + offset)
    (previous + offset).storeBytes(of: x, as: Vector.self)
    (row.data + offset).storeBytes(of: x + change * momentum, as: Vector.self)
  }
}

/// What stands for 1 in p.
private let one: Float = 32_767

@inline(__always) private func values(_ address: UnsafeRawPointer) -> Vector { address.loadUnaligned(as: Vector.self) }

extension SlabRow {
  @inline(__always) fileprivate var pixelByteCount: Int { lanes * MemoryLayout<Float>.stride }

  /// Calls `body` with the offset of sixteen values at a time, as they lie in memory, their column and first lane.
  @inline(__always) fileprivate func forEachOffset(_ body: (_ offset: Int, _ column: Int, _ lane: Int) -> Void) {
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

  /// Calls `body` with sixteen values of d at a time, and their offset in the row.
  @inline(__always) fileprivate func forEachVector(_ body: (_ offset: Int, _ value: Vector) -> Void) {
    let size = MemoryLayout<Float>.stride, pixel = pixelByteCount
    forEachOffset { offset, column, lane in
      let weight: Vector = values(factors.weights + lane), weightBefore: Vector = values(factors.weights + lane - 1)
      let here = (dual + offset).loadUnaligned(as: Indices.self)
      let left = (dual + (offset - pixel)).loadUnaligned(as: Indices.self)
      let up = (above + offset).loadUnaligned(as: Indices.self)
      let within =
        (cvector_low_rounded16(here) - cvector_low_rounded16(up))
        + (cvector_high_rounded16(here) - cvector_high_rounded16(left))
      // The last slice has no difference to the next one, so what lies before the first lane is zero.
      let across = weight * values(self.across + offset) - weightBefore * values(self.across + (offset - size))
      body(offset, values(data + offset) + steps[column] * (weight * within + across))
    }
  }
}
