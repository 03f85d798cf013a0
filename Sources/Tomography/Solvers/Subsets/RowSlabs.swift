package import KernelTypes

/// How the rows of a detector are cut where slices are penalised together with their neighbours.
///
/// ```
/// rows      0            64            128
/// slab 0    |────────────|-- 8
/// slab 1             8 --|─────────────|-- 8
/// slab 2                           8 --|─────────────
/// ```
///
/// A slab is computed with some rows of each neighbour, which do not count: what is beyond these changes its own rows
/// far less than the noise does. So a slab is a function of its projections alone, whoever computes it and whatever
/// died before. Its own rows are a block of a worker's volume. Few rows are one slab.
package struct RowSlabs: Sendable, Equatable {
  /// Rows of the detector.
  let rows: Int

  private static let ownRows = 64
  /// Rows of each neighbour.
  static let overlap = 8

  /// The slabs of a detector of so many rows.
  package init(rows: Int) {
    precondition(rows >= 1, "\(rows) rows")
    self.rows = rows
  }

  /// Rows that are a slab's own; the last one may have fewer.
  package var step: Int { min(rows, Self.ownRows) }
  /// How many there are.
  var count: Int { (rows + step - 1) / step }
  /// How the slices of any of them lie in memory, as wide as those of `layout`; there may be fewer.
  package func layout(like layout: SliceLayout) -> SliceLayout {
    let lanes = count == 1 ? (rows + 15) & ~15 : Self.ownRows + 2 * Self.overlap
    return SliceLayout(columns: layout.columns, measured: layout.measured, rows: lanes, lanes: lanes)
  }

  /// A slab's own rows.
  package func own(_ slab: Int) -> Range<Int> {
    precondition((0..<count).contains(slab), "slab \(slab) of \(count)")
    return slab * step..<min(rows, (slab + 1) * step)
  }

  /// All rows that it is computed with.
  package func computed(_ slab: Int) -> Range<Int> {
    let own = own(slab)
    return max(0, own.lowerBound - Self.overlap)..<min(rows, own.upperBound + Self.overlap)
  }
}

extension SubsetSolver {
  /// Which slices of a block are there, the first so many, and which of these are its own and count.
  package struct Slab: Sendable, Equatable {
    let count: Int
    /// Those that count.
    package let own: Range<Int>

    /// Slices as given.
    package init(count: Int, own: Range<Int>) {
      precondition(own.lowerBound >= 0 && own.upperBound <= count, "slices \(own) of \(count)")
      (self.count, self.own) = (count, own)
    }
  }
}
