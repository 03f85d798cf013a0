/// Where a slice is looked at for its scale and gradient: a lattice of at most 256 × 256 pixels in the disc of 0.9 of
/// the detector's width around the rotation axis.
struct SliceSamples {
  struct Row {
    let row: Int
    let columns: StrideTo<Int>
  }

  let rows: [Row]
  /// Pixels in all.
  let count: Int

  private static let edgeMax = 256
  /// The most pixels and rows that there can be.
  static let countMax = edgeMax * edgeMax, rowsMax = edgeMax

  /// `columns` of the detector in the middle of a grid with `gridColumns`.
  init(columns: Int, gridColumns: Int) {
    let step = (columns + Self.edgeMax - 1) / Self.edgeMax
    let radius = 0.45 * Double(columns), middle = 0.5 * Double(gridColumns - 1)
    func lattice(reach: Double) -> StrideTo<Int> {
      stride(from: Int((middle - reach).rounded(.up)), to: Int((middle + reach).rounded(.down)) + 1, by: step)
    }
    rows = lattice(reach: radius).map { row in
      let y = Double(row) - middle
      return Row(row: row, columns: lattice(reach: (radius * radius - y * y).squareRoot()))
    }
    count = rows.reduce(0) { $0 + $1.columns.underestimatedCount }
  }
}

/// The `rank`-th smallest of `count` values (from 0), which are put in another order. NaN anywhere gives an arbitrary
/// value.
func select(_ rank: Int, of values: UnsafeMutablePointer<Float>, count: Int) -> Float {
  var first = 0, last = count - 1
  while first < last {
    // The median of three keeps rows that are sorted already from taking the square of their length.
    let a = values[first], b = values[(first + last) / 2], c = values[last]
    let pivot = max(min(a, b), min(max(a, b), c))
    var low = first, high = last
    while low <= high {
      while values[low] < pivot { low += 1 }
      while values[high] > pivot { high -= 1 }
      if low <= high {
        (values[low], values[high]) = (values[high], values[low])
        low += 1
        high -= 1
      }
    }
    if rank <= high {
      last = high
    } else if rank >= low {
      first = low
    } else {
      break
    }
  }
  return values[rank]
}
