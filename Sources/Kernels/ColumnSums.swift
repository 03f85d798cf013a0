package import KernelTypes

/// Columns that share the start of their positions: four vectors.
private let columnsPerPass = 64

/// Column sums of one row of a slice over `angles`: what a sinogram of ones in `bins` would backproject to.
///
/// Vectors run along the row, so that the cost does not depend on the lanes. `sums` has room for `columns` values
/// rounded up to a multiple of 16.
package func columnSums(
  row: Int, angles: UnsafeBufferPointer<BackAngle>, columns: Int, bins: Range<Int>, sums: UnsafeMutablePointer<Float>
) {
  var column = 0
  while column < columns {
    var a = Vector(), b = Vector(), c = Vector(), d = Vector()
    var angle = angles.baseAddress!
    let end = angle + angles.count
    while angle < end {
      let pass = ColumnPass(angle, column: column, row: row, bins: bins)
      if pass.isInside {
        a += pass.weights(0)
        b += pass.weights(16)
        c += pass.weights(32)
        d += pass.weights(48)
      } else {
        a += pass.weightsOnDetector(0)
        b += pass.weightsOnDetector(16)
        c += pass.weightsOnDetector(32)
        d += pass.weightsOnDetector(48)
      }
      angle += 1
    }
    for (offset, sum) in [(0, a), (16, b), (32, c), (48, d)] where column + offset < columns {
      UnsafeMutableRawPointer(sums + column + offset).storeBytes(of: sum, as: Vector.self)
    }
    column += columnsPerPass
  }
}

/// Where `columnsPerPass` neighbours fall on the detector at one angle.
private struct ColumnPass {
  let angle: UnsafePointer<BackAngle>
  let binCount: Int
  /// Bin of the first column's position, counted from the first of the detector's.
  let base: Int
  let start: Float
  let cosine: Float
  /// Both bins of every column are among `bins`.
  let isInside: Bool

  @inline(__always) init(_ angle: UnsafePointer<BackAngle>, column: Int, row: Int, bins: Range<Int>) {
    self.angle = angle
    binCount = bins.count
    let first = Double(column) * angle.pointee.cosine - Double(row) * angle.pointee.sine + angle.pointee.origin
    let last = first + Double(columnsPerPass - 1) * angle.pointee.cosine
    let floor = first.rounded(.down)
    base = Int(floor) - bins.lowerBound
    start = Float(first - floor)
    cosine = Float(angle.pointee.cosine)
    isInside =
      min(first, last) >= Double(bins.lowerBound + 1) && max(first, last) < Double(bins.upperBound - 2)
  }

  @inline(__always) func position(_ offset: Float) -> (floor: Indices, fraction: Vector) {
    let steps = Vector(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    return split(steps * cosine + (start + offset * cosine))
  }

  @inline(__always) func pair(_ fraction: Vector) -> (Vector, Vector) {
    let weight = angle.pointee.weight, slope = angle.pointee.slope
    return (positive(weight - fraction * slope), positive((weight - slope) + fraction * slope))
  }

  @inline(__always) func weights(_ offset: Float) -> Vector {
    let (first, second) = pair(position(offset).fraction)
    return first + second
  }

  @inline(__always) func weightsOnDetector(_ offset: Float) -> Vector {
    let (floor, fraction) = position(offset)
    let bin = floor &+ Int32(truncatingIfNeeded: base), count = Int32(truncatingIfNeeded: binCount)
    let (first, second) = pair(fraction)
    return keep(first, where: bin, isBelow: count) + keep(second, where: bin &+ 1, isBelow: count)
  }
}
