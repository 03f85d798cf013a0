internal import CVector
package import KernelTypes

/// Joseph's projector A (P. M. Joseph, IEEE Trans. Med. Imaging 1, 1982) and its exact transpose.
///
/// A ray takes one step for each pixel of its major axis, interpolates linearly between the two nearest pixels and
/// multiplies by the step's length 1 / max(|cos θ|, |sin θ|). It ends at the slice's edge; bins outside the detector do
/// not exist.
package final class Projector {
  private let layout: SliceLayout
  private let beam: ParallelBeam
  private let kernels: KernelTable
  private let fixedPoint: FixedPoint?

  /// A projector for one layout and geometry, which must have the same number of columns.
  ///
  /// `level` is the x86-64 level of the instructions, 2 … `processorLevel`; the latter if nil. With `fixedPoint`, made
  /// for the same layout, projections are in fixed point.
  package init(layout: SliceLayout, beam: ParallelBeam, level: Int? = nil, fixedPoint: FixedPoint? = nil) {
    precondition(fixedPoint == nil || fixedPoint?.layout == layout, "memory of another layout")
    precondition(
      layout.columns == beam.columns, "a layout of \(layout.columns) columns for a detector of \(beam.columns)")
    self.layout = layout
    self.beam = beam
    kernels = KernelTable(level: level)
    self.fixedPoint = fixedPoint
  }

  /// The x86-64 level (2 … 4) of the instructions that the kernels use on this machine; 0 where it has not even level
  /// 2.
  package static var processorLevel: Int { Int(cvector_x86_level()) }

  /// sinogram = A volume, at the slots of `angles`. The volume holds all blocks, the sinogram exactly `blocks`, each
  /// with `slots` slots.
  ///
  /// Returns how many voxels did not fit in fixed point: then their blocks were projected once more, with other scales.
  @discardableResult package func forward(
    volume: UnsafeRawPointer, sinogram: UnsafeMutableRawPointer, slots: Int, blocks: Range<Int>, angles: [WindowAngle],
    executor: some Executor
  ) -> Int {
    guard !angles.isEmpty else { return 0 }
    return pass(angles, slots: slots)
      .forward(volume: volume, sinogram: sinogram, slots: slots, blocks: layout.checked(blocks), executor: executor)
  }

  /// volume = Aᵀ sinogram over `angles`, for the slices of `blocks`; the rest of the volume stays. Returns how many
  /// bins were not finite, in fixed point.
  @discardableResult package func back(
    volume: UnsafeMutableRawPointer, sinogram: UnsafeRawPointer, slots: Int, blocks: Range<Int>, angles: [WindowAngle],
    executor: some Executor
  ) -> Int {
    guard !angles.isEmpty else {
      layout.clear(blocks, of: volume, executor)
      return 0
    }
    let scratch = TileScratch(layout: layout, workers: max(1, executor.width))
    return pass(angles, slots: slots).back(
      sinogram: sinogram, slots: slots, blocks: layout.checked(blocks), scratch: scratch, executor: executor
    ) { TileTarget(next: volume + layout.pixelOffset(block: $0)) }
  }

  private func pass(_ angles: [WindowAngle], slots: Int) -> ProjectionPass {
    precondition(angles.allSatisfy { $0.slot < slots }, "an angle lies beyond the \(slots) slots")
    let plan = AnglePlan(capacity: max(1, angles.count))
    plan.prepare(angles, beam: beam) { angles[$0].slot }
    return ProjectionPass(layout: layout, kernels: kernels, plan: plan, fixedPoint: fixedPoint)
  }
}
