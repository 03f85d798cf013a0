/// The resolutions of a volume in Zarr: each has half the voxels of the one before along every axis that has more than
/// one, until a slice fits into one chunk.
struct ZarrLevels {
  /// One resolution.
  struct Level {
    /// Slices, and columns of a slice, which has as many rows.
    let slices: Int
    let columns: Int
    /// Voxels of the first level that one is the mean of, along z and along y and x.
    let (depthFactor, factor): (Int, Int)
  }

  /// From the finest to the coarsest.
  let levels: [Level]
  /// Voxels of a chunk along z, and along y and x.
  let depth: Int
  let edge: Int

  init(slices: Int, columns: Int, depth: Int, edge: Int) {
    (self.depth, self.edge) = (min(depth, slices), min(edge, columns))
    var levels = [Level(slices: slices, columns: columns, depthFactor: 1, factor: 1)]
    while let last = levels.last, last.columns > edge {
      let halves = last.slices > 1
      levels.append(
        Level(
          slices: halves ? (last.slices + 1) / 2 : 1, columns: (last.columns + 1) / 2,
          depthFactor: halves ? 2 * last.depthFactor : last.depthFactor, factor: 2 * last.factor))
    }
    self.levels = levels
  }

  /// Chunks of a level along y, and along x.
  func chunks(_ level: Int) -> Int { (levels[level].columns + edge - 1) / edge }
  /// Voxels of a chunk; those at the edges are filled up.
  var chunkVoxels: Int { depth * edge * edge }
}
