internal import CLinux
internal import KernelTypes
internal import KernelsV2
internal import KernelsV3
internal import KernelsV4

/// The same kernels, compiled for one x86-64 level.
struct KernelTable: Sendable {
  typealias Forward =
    @Sendable (UnsafeRawPointer, UnsafeMutableRawPointer, UnsafeBufferPointer<Ray>, KernelShape) -> Void
  typealias Back =
    @Sendable (
      Tile, UnsafeMutableRawPointer, UnsafeRawPointer, UnsafeBufferPointer<BackAngle>, KernelShape,
      UnsafeMutableRawPointer, TileTarget
    ) -> Void
  typealias ResidualRow =
    @Sendable (
      UnsafeMutableRawPointer, UnsafeRawPointer, UnsafePointer<Float>, KernelShape, UnsafeMutablePointer<Double>
    ) -> Void
  typealias ColumnSums = @Sendable (Int, UnsafeBufferPointer<BackAngle>, Int, UnsafeMutablePointer<Float>) -> Void
  typealias MultiplyAdds = @Sendable (Int, UnsafeMutablePointer<Float>) -> Int
  typealias Loads = @Sendable (UnsafeRawPointer, Int, Int, UnsafeMutablePointer<Float>) -> Int

  let forward: Forward
  let backTile: Back
  let residualRow: ResidualRow
  let columnSums: ColumnSums
  let multiplyAdds: MultiplyAdds
  let loads: Loads

  /// Bytes of scratch memory that `backTile` needs beside the tile: the same at every level.
  static let tapsByteCount = KernelsV4.backTapsByteCount

  /// x86-64 levels whose instructions this machine has, lowest first. Level 2 is taken for granted.
  static let levels = Array(2...max(2, Int(clinux_x86_level())))

  /// The kernels for one of `levels`; the highest if nil.
  init(level: Int? = nil) {
    let level = level ?? KernelTable.levels.last!
    precondition(KernelTable.levels.contains(level), "x86-64 level \(level): this machine has \(KernelTable.levels)")
    switch level {
    case 4:
      self.init(
        forward: KernelsV4.forward, backTile: KernelsV4.backTile, residualRow: KernelsV4.residualRow,
        columnSums: KernelsV4.columnSums, multiplyAdds: KernelsV4.multiplyAdds, loads: KernelsV4.loads)
    case 3:
      self.init(
        forward: KernelsV3.forward, backTile: KernelsV3.backTile, residualRow: KernelsV3.residualRow,
        columnSums: KernelsV3.columnSums, multiplyAdds: KernelsV3.multiplyAdds, loads: KernelsV3.loads)
    default:
      self.init(
        forward: KernelsV2.forward, backTile: KernelsV2.backTile, residualRow: KernelsV2.residualRow,
        columnSums: KernelsV2.columnSums, multiplyAdds: KernelsV2.multiplyAdds, loads: KernelsV2.loads)
    }
  }

  private init(
    forward: @escaping Forward, backTile: @escaping Back, residualRow: @escaping ResidualRow,
    columnSums: @escaping ColumnSums, multiplyAdds: @escaping MultiplyAdds, loads: @escaping Loads
  ) {
    self.forward = forward
    self.backTile = backTile
    self.residualRow = residualRow
    self.columnSums = columnSums
    self.multiplyAdds = multiplyAdds
    self.loads = loads
  }
}
