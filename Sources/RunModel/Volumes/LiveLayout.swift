package import KernelTypes

/// Which volume a generation holds.
enum VolumeKind {
  /// That of the final iterations.
  case finished
  /// That of updates while the scan runs.
  case window
  /// That of updates on a coarse grid.
  case coarse
}

/// How a worker's volume lies in memory while the scan runs, where updates are made of binned projections.
package struct LiveLayout: Equatable, Sendable {
  /// Its slices; the last one may stand for fewer rows than the others.
  package let layout: SliceLayout
  /// Rows, and columns, of the detector that became one: 2 or more.
  package let factor: Int

  /// The layout of what is left of so many rows.
  package init(layout: SliceLayout, factor: Int) {
    precondition(factor > 1, "\(factor) rows and columns become one")
    (self.layout, self.factor) = (layout, factor)
  }

  /// Slices that are left of so many rows.
  package static func rows(of rows: Int, factor: Int) -> Int { (rows + factor - 1) / factor }
}
