internal import CVector
internal import KernelTypes
internal import Kernels
internal import KernelsAVX2
internal import KernelsSSE42

/// The same kernels, compiled for one x86-64 level.
struct KernelTable: Sendable {
  let forward: @Sendable (UnsafeRawPointer, UnsafeMutableRawPointer, UnsafeBufferPointer<Ray>, KernelShape) -> Void
  let backTile:
    @Sendable (
      Tile, UnsafeMutableRawPointer, UnsafeRawPointer, UnsafeBufferPointer<BackAngle>, KernelShape,
      UnsafeMutableRawPointer, TileTarget
    ) -> Void
  // The same in fixed point, and what it needs before.
  let forwardFixed:
    @Sendable (
      UnsafeRawPointer, UnsafeMutableRawPointer, UnsafeBufferPointer<Ray>, KernelShape, FixedScales,
      UnsafeMutableRawPointer, UnsafeMutablePointer<Float>?
    ) -> Int
  let backTileFixed:
    @Sendable (
      Tile, UnsafeMutableRawPointer, UnsafeRawPointer, UnsafeBufferPointer<BackAngle>, KernelShape,
      UnsafePointer<Float>, UnsafeMutableRawPointer, TileTarget
    ) -> Void
  let notePeaks: @Sendable (UnsafeRawPointer, Int, Int, Float, UnsafeMutablePointer<Float>) -> Void
  let convertRow:
    @Sendable (UnsafeRawPointer, Float, Int, Int, KernelShape, FixedScales, UnsafeMutableRawPointer) -> Int

  let columnSums: @Sendable (Int, UnsafeBufferPointer<BackAngle>, Int, Range<Int>, UnsafeMutablePointer<Float>) -> Void

  // What solvers do to each bin or voxel between the projections.
  let residualRow:
    @Sendable (
      UnsafeMutableRawPointer, UnsafeRawPointer, UnsafePointer<Float>, KernelShape, UnsafeMutablePointer<Double>
    ) -> Void
  let ratioRow: @Sendable (UnsafeMutableRawPointer, UnsafeRawPointer, KernelShape, UnsafeMutablePointer<Double>) -> Void
  let dataSums: @Sendable (UnsafeRawPointer, KernelShape, UnsafeMutablePointer<Double>) -> Void
  let scaleTile:
    @Sendable (
      Tile, UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer, UnsafePointer<Float>, Int, Float, Bool,
      KernelShape
    ) -> Void
  let penaliseTile:
    @Sendable (
      Tile, UnsafeRawPointer, UnsafeRawPointer, TileBorder, UnsafeMutableRawPointer, UnsafePointer<Float>, Int,
      UnsafePointer<ColumnRange>, TilePenalty, Float, Bool, KernelShape
    ) -> Void
  let primalRow: @Sendable (PrimalRow, UnsafeMutableRawPointer) -> Void
  let finishedRow: @Sendable (PrimalRow, VariationTarget) -> Void
  let dualRow: @Sendable (DualRow, DualValues, Int) -> Void
  let steppedRow: @Sendable (DualRow, PrimalRow, UnsafeMutableRawPointer) -> Void
  let lastRow: @Sendable (DualRow, PrimalRow, VariationTarget) -> Void
  let slabPrimalRow: @Sendable (SlabRow, UnsafeMutableRawPointer) -> Void
  let slabDualRow: @Sendable (SlabRow, UnsafeRawPointer, UnsafeRawPointer) -> Void
  let slabFinishedRow: @Sendable (SlabRow, UnsafeMutableRawPointer, Float, Bool) -> Void

  // What a processor can do at most.
  let multiplyAdds: @Sendable (Int, UnsafeMutablePointer<Float>) -> Int
  let loads: @Sendable (UnsafeRawPointer, Int, Int, UnsafeMutablePointer<Float>) -> Int

  /// Bytes of scratch memory that `backTile` needs beside the tile: the same at every level.
  static let tapsByteCount = Kernels.backTapsByteCount

  /// Bytes of scratch memory that the kernels in fixed point need.
  static let fixedByteCount = max(Kernels.fixedForwardByteCount, Kernels.fixedBackByteCount)

  /// The largest bin in fixed point, and the weight 1 of a backprojection: the same at every level.
  static let fixedBinLimit = Kernels.fixedBinLimit, fixedBackUnit = Kernels.fixedBackUnit

  /// x86-64 levels whose instructions this machine has, lowest first. Level 2 is taken for granted.
  static let levels = Array(2...max(2, Int(cvector_x86_level())))

  /// The kernels for one of `levels`; the highest if nil.
  init(level: Int? = nil) {
    let level = level ?? KernelTable.levels.last!
    precondition(KernelTable.levels.contains(level), "x86-64 level \(level): this machine has \(KernelTable.levels)")
    switch level {
    case 4:
      (forward, backTile, columnSums) = (Kernels.forward, Kernels.backTile, Kernels.columnSums)
      (forwardFixed, backTileFixed) = (Kernels.forwardFixed, Kernels.backTileFixed)
      (notePeaks, convertRow) = (Kernels.notePeaks, Kernels.convertRow)
      (residualRow, ratioRow, dataSums) = (Kernels.residualRow, Kernels.ratioRow, Kernels.dataSums)
      (scaleTile, penaliseTile) = (Kernels.scaleTile, Kernels.penaliseTile)
      (primalRow, finishedRow, dualRow) = (Kernels.primalRow, Kernels.finishedRow, Kernels.dualRow)
      (steppedRow, lastRow) = (Kernels.steppedRow, Kernels.lastRow)
      (slabPrimalRow, slabDualRow) = (Kernels.slabPrimalRow, Kernels.slabDualRow)
      slabFinishedRow = Kernels.slabFinishedRow
      (multiplyAdds, loads) = (Kernels.multiplyAdds, Kernels.loads)
    case 3:
      (forward, backTile, columnSums) = (KernelsAVX2.forward, KernelsAVX2.backTile, KernelsAVX2.columnSums)
      (forwardFixed, backTileFixed) = (KernelsAVX2.forwardFixed, KernelsAVX2.backTileFixed)
      (notePeaks, convertRow) = (KernelsAVX2.notePeaks, KernelsAVX2.convertRow)
      (residualRow, ratioRow, dataSums) = (KernelsAVX2.residualRow, KernelsAVX2.ratioRow, KernelsAVX2.dataSums)
      (scaleTile, penaliseTile) = (KernelsAVX2.scaleTile, KernelsAVX2.penaliseTile)
      (primalRow, finishedRow, dualRow) = (KernelsAVX2.primalRow, KernelsAVX2.finishedRow, KernelsAVX2.dualRow)
      (steppedRow, lastRow) = (KernelsAVX2.steppedRow, KernelsAVX2.lastRow)
      (slabPrimalRow, slabDualRow) = (KernelsAVX2.slabPrimalRow, KernelsAVX2.slabDualRow)
      slabFinishedRow = KernelsAVX2.slabFinishedRow
      (multiplyAdds, loads) = (KernelsAVX2.multiplyAdds, KernelsAVX2.loads)
    default:
      (forward, backTile, columnSums) = (KernelsSSE42.forward, KernelsSSE42.backTile, KernelsSSE42.columnSums)
      (forwardFixed, backTileFixed) = (KernelsSSE42.forwardFixed, KernelsSSE42.backTileFixed)
      (notePeaks, convertRow) = (KernelsSSE42.notePeaks, KernelsSSE42.convertRow)
      (residualRow, ratioRow, dataSums) = (KernelsSSE42.residualRow, KernelsSSE42.ratioRow, KernelsSSE42.dataSums)
      (scaleTile, penaliseTile) = (KernelsSSE42.scaleTile, KernelsSSE42.penaliseTile)
      (primalRow, finishedRow, dualRow) = (KernelsSSE42.primalRow, KernelsSSE42.finishedRow, KernelsSSE42.dualRow)
      (steppedRow, lastRow) = (KernelsSSE42.steppedRow, KernelsSSE42.lastRow)
      (slabPrimalRow, slabDualRow) = (KernelsSSE42.slabPrimalRow, KernelsSSE42.slabDualRow)
      slabFinishedRow = KernelsSSE42.slabFinishedRow
      (multiplyAdds, loads) = (KernelsSSE42.multiplyAdds, KernelsSSE42.loads)
    }
  }
}
