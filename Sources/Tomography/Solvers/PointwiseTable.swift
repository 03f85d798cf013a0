internal import KernelTypes
internal import PointwiseTypes
internal import PointwiseV2
internal import PointwiseV3
internal import PointwiseV4

/// The same steps, compiled for one x86-64 level.
struct PointwiseTable: Sendable {
  let ratioRow: @Sendable (UnsafeMutableRawPointer, UnsafeRawPointer, KernelShape, UnsafeMutablePointer<Double>) -> Void
  let dataSums: @Sendable (UnsafeRawPointer, KernelShape, UnsafeMutablePointer<Double>) -> Void
  let scaleTile:
    @Sendable (
      Tile, UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer, UnsafePointer<Float>, Int, Float, Bool,
      KernelShape
    ) ->
      Void
  let penaliseTile:
    @Sendable (
      Tile, UnsafeRawPointer, UnsafeRawPointer, TileBorder, UnsafeMutableRawPointer, UnsafePointer<Float>, Int,
      UnsafePointer<ColumnRange>, TilePenalty, Float, Bool, KernelShape
    ) -> Void

  /// The steps for one of `KernelTable.levels`; the highest if nil.
  init(level: Int? = nil) {
    let level = level ?? KernelTable.levels.last!
    precondition(KernelTable.levels.contains(level), "x86-64 level \(level): this machine has \(KernelTable.levels)")
    switch level {
    case 4:
      (ratioRow, dataSums, scaleTile, penaliseTile) =
        (PointwiseV4.ratioRow, PointwiseV4.dataSums, PointwiseV4.scaleTile, PointwiseV4.penaliseTile)
    case 3:
      (ratioRow, dataSums, scaleTile, penaliseTile) =
        (PointwiseV3.ratioRow, PointwiseV3.dataSums, PointwiseV3.scaleTile, PointwiseV3.penaliseTile)
    default:
      (ratioRow, dataSums, scaleTile, penaliseTile) =
        (PointwiseV2.ratioRow, PointwiseV2.dataSums, PointwiseV2.scaleTile, PointwiseV2.penaliseTile)
    }
  }
}
