import Host
import KernelTypes
import Rings
import Tomography

extension ReconstructStage.Configuration {
  /// How the slices of a block of the final iterations lie in memory: one block, that of the widest.
  var finalLayout: SliceLayout {
    slabs?.layout(like: layout) ?? layout.with(rows: layout.rows(of: 0..<1).count)
  }

  /// The most rows that so many blocks are made of.
  func rowsAtOnce(blocks: Int) -> Int {
    slabs == nil ? layout.rows(of: 0..<blocks).count : min(finalLayout.rows, detectorRows)
  }
}

extension ReconstructStage {
  /// Bytes of a worker's own memory at its peak: the window's line integrals and solver, or one block's in the final
  /// iterations.
  package static func byteCount(_ configuration: Configuration, threads: Int) -> Int {
    let layout = configuration.layout
    // Where blocks differ each has a solver of its own.
    let areMany = configuration.beams.count > 1
    func buffers(
      _ methods: [Method], blocks: Int, slots: Int, anglesMax: Int? = nil, in layout: SliceLayout = layout
    ) -> Int {
      guard slots > 0 else { return 0 }
      return SinogramBuffer.byteCount(layout: layout, blocks: blocks, slots: slots)
        + methods.reduce(0) {
          $0 + (areMany ? blocks : 1)
            * $1.scratchByteCount(
              layout: layout, anglesMax: anglesMax ?? slots, blocksMax: areMany ? 1 : blocks, threads: threads)
        }
    }
    let window = configuration.windowSlots, windowLayout = configuration.windowLayout
    let methods = configuration.methods, slots = configuration.projectionsMax
    let final =
      switch methods.final {
      case .iterations(let method, let start):
        buffers([method] + [start.method].compactMap { $0 }, blocks: 1, slots: slots)
      case .subsets(let options, let padding):
        (slots > 0 ? SinogramBuffer.byteCount(layout: configuration.finalLayout, blocks: 1, slots: slots) : 0)
          + SubsetSolver.scratchByteCount(
            layout: configuration.slabs == nil ? layout : configuration.finalLayout, options: options,
            angles: max(slots, 1), padding: padding.pixelsMax(columns: layout.columns), threads: threads)
          + (configuration.slabs.map { SlabCorrections.byteCount(configuration, slabs: $0) } ?? 0)
      }
    let atOnce = blocksAtOnce(configuration), rows = configuration.rowsAtOnce(blocks: atOnce)
    let readAhead = RowReadAhead.byteCount(
      rows: rows, columns: layout.measured.count, threads: threads,
      projections: configuration.projectionsMax * ((layout.rows + rows - 1) / rows))
    let stripes = StripeFilter(angles: configuration.projectionsMax, columns: layout.measured.count)
    return buffers(
      [methods.window], blocks: windowLayout.blockCount, slots: window.kept + window.others,
      anglesMax: configuration.windowAnglesMax, in: windowLayout)
      + (configuration.windows.spread == nil
        ? 0 : methods.window.smoothingByteCount(layout: windowLayout, threads: threads))
      + (configuration.keepsProjections
        ? final + buffers([], blocks: atOnce - 1, slots: slots) + readAhead : 0)
      + (configuration.removesStripes ? threads * stripeByteCount(stripes) : 0)
      + BlockCorrections.byteCount(
        layout: layout, interpolatesFlats: configuration.interpolatesFlats, binned: configuration.binning?.layout,
        coarse: configuration.coarse?.layout)
      + (configuration.coarse.map {
        CoarseUpdates.byteCount($0, configuration, slots: window.kept + window.others, threads: threads)
      } ?? 0)
  }

  /// Bytes of what the solver of the final iterations saves of a block; nil where it saves nothing.
  package static func solverStateByteCount(_ configuration: Configuration) -> Int? {
    guard configuration.keepsProjections, case .subsets(let options, let padding) = configuration.methods.final else {
      return nil
    }
    return SubsetSolver.stateByteCount(
      layout: configuration.slabs == nil ? configuration.layout : configuration.finalLayout,
      padding: padding.pixelsMax(columns: configuration.layout.columns),
      dimensions: options.dimensions)
  }

  /// Blocks whose rows are read at once for the final iterations. What is read are whole pages and whole bands
  /// (`EventBands`): of blocks that have few bytes, or that lie across bands, some together, so that little is read
  /// twice, as far as their sinograms may take memory.
  static func blocksAtOnce(_ configuration: Configuration) -> Int {
    let layout = configuration.layout, block = layout.rows(of: 0..<1).count
    guard layout.blockCount > 1, configuration.projectionsMax > 0, configuration.slabs == nil else { return 1 }
    let byteCount = block * layout.measured.count * PixelType.uint16.byteCount
    let isAcross = block % EventBands.rowsMin != 0 || configuration.rows.lowerBound % EventBands.rowsMin != 0
    if !isAcross, byteCount % EventHeader.pageByteCount == 0 || byteCount >= leastByteCount { return 1 }
    let wanted = max(isAcross ? 8 : 1, (leastByteCount + byteCount - 1) / byteCount)
    let sinogram = SinogramBuffer.byteCount(layout: layout, blocks: 1, slots: configuration.projectionsMax)
    return max(1, min(wanted, layout.blockCount, sinogramsByteCountMax / sinogram))
  }

  /// Below so many bytes of a projection, the pages at both ends are more than a tenth of what is read.
  private static let leastByteCount = 40 << 10
  /// What the sinograms of blocks that are read at once may take.
  private static let sinogramsByteCountMax = 256 << 20
}
