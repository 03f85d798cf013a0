import KernelTypes
import Rings
import RunModel
import Tomography
import Topics

// Whether the sample reaches beyond the detector is asked of the whole scan (`SampleLook`). A worker of a node has some
// rows of it alone: what the edge saw is in the end of the images.
extension ReconstructStage {
  /// Pixels that the grid of the final iterations has more than the detector at each side.
  func pixels(of padding: FinalMethod.Padding) throws -> Int {
    switch padding {
    case .pixels(let pixels): return pixels
    case .whereTheSampleLeaves:
      guard try configuration.isToldOfSample ? toldWhetherSampleLeaves() : sampleLeaves() else { return 0 }
      let pixels = padding.pixelsMax(columns: configuration.layout.columns)
      told("the sample reaches beyond the detector: reconstructing \(pixels) pixels more at each side")
      return pixels
    }
  }

  private func sampleLeaves() throws -> Bool {
    let layout = configuration.layout
    return try SampleLook(
      rows: configuration.detectorRows, columns: layout.measured.count, minusLog: configuration.minusLog,
      sides: layout.outerSides
    ).leaves(
      projections, fields: fieldImages.map { ($0.role, $0.sequence) }, projections: applied.all.map(\.sequence))
  }

  /// What the last of the images says: the order for the final iterations comes after it.
  private func toldWhetherSampleLeaves() throws -> Bool {
    let event = try projections.event(at: projections.published - 1)
    guard event.header.kind == .end else {
      throw StageError.disorder("\(event.header.kind) in place of the end of the images at \(event.header.sequence)")
    }
    guard let leaves = try EndEvent(decoding: event.metadata).sampleLeaves else {
      throw StageError.lost(
        "the end of the images does not say whether the sample reaches beyond the detector; give the edge's run "
          + "--padding none, or a number of pixels")
    }
    return leaves
  }
}
