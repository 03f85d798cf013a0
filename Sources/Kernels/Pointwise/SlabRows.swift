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

/// Replaces p of a row by (p + σ ∇d) / max(1, |·|). `primal` is d of the row, with a pixel more on the right, and
/// `below` that of the one below it.
package func slabDualRow(_ row: SlabRow, primal: UnsafeRawPointer, below: UnsafeRawPointer) {
  let pixel = row.pixelByteCount, factors = row.factors
  for lane in stride(from: 0, to: row.lanes, by: 16) {
    let step: Vector = values(factors.steps + lane), shrink: Vector = values(factors.shrinks + lane)
    let stepAcross: Vector = values(factors.stepsAcross + lane)
    for column in 0..<row.columns {
      let offset = column * pixel + lane * MemoryLayout<Float>.stride
      let here = (row.dual + offset).loadUnaligned(as: Indices.self), d: Vector = values(primal + offset)
      let down = (cvector_low16(here) + step * (values(below + offset) - d)) * shrink
      let right = (cvector_high16(here) + step * (values(primal + (offset + pixel)) - d)) * shrink
      let next: Vector = values(primal + (offset + MemoryLayout<Float>.stride))
      let across = (values(row.across + offset) + stepAcross * (next - d)) * shrink
      let squared = ((down * down + right * right) + across * across) * inverseOne
      let one = Vector(repeating: 1)
      let factor = one / squared.whereNegative(squared - one, one).squareRoots
      let pairs = cvector_halves16(cvector_rounded16(down * factor), cvector_rounded16(right * factor))
      (row.dual + offset).storeBytes(of: pairs, as: Indices.self)
      (row.across + offset).storeBytes(of: across * factor, as: Vector.self)
    }
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

/// 1 / 32,767²
private let inverseOne: Float = 1 / (32_767 * 32_767)

@inline(__always) private func values(_ address: UnsafeRawPointer) -> Vector { address.loadUnaligned(as: Vector.self) }

extension SlabRow {
  fileprivate var pixelByteCount: Int { lanes * MemoryLayout<Float>.stride }

  /// Calls `body` with sixteen values of d at a time, and their offset in the row.
  @inline(__always) fileprivate func forEachVector(_ body: (_ offset: Int, _ value: Vector) -> Void) {
    let size = MemoryLayout<Float>.stride, pixel = pixelByteCount
    for lane in stride(from: 0, to: lanes, by: 16) {
      let weight: Vector = values(factors.weights + lane), weightBefore: Vector = values(factors.weights + lane - 1)
      let first = lane * size
      var before = cvector_high16((dual + (first - pixel)).loadUnaligned(as: Indices.self))
      for column in 0..<columns {
        let offset = column * pixel + first, here = (dual + offset).loadUnaligned(as: Indices.self)
        let right = cvector_high16(here), up = cvector_low16((above + offset).loadUnaligned(as: Indices.self))
        let within = (cvector_low16(here) - up) + (right - before)
        before = right
        // The last slice has no difference to the next one, so what lies before the first lane is zero.
        let across = weight * values(self.across + offset) - weightBefore * values(self.across + (offset - size))
        body(offset, values(data + offset) + steps[column] * (weight * within + across))
      }
    }
  }
}
