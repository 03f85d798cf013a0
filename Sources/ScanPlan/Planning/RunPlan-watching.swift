import Alarms
import Rings
import RunModel
package import Stages
import Tomography

// What is watched in a run, and for what.
extension RunPlan {
  private var triggers: [Trigger] {
    isWatched == true ? scan.triggers(sourceWaits: sourceWaits) : []
  }

  /// Whether triggers may change when updates are made. Nodes make those of the edge.
  var obeysTriggers: Bool { triggers.contains(where: \.changesWindows) && fabric == nil }

  /// Bytes that a projection takes in the run's folder, with what is ordered and reported about it.
  private var byteCountOfProjection: Int {
    guard scan.durability == .durable else { return 0 }
    let strides = ring(.projections).slotStride + (correction == nil ? 0 : ring(.corrected).slotStride)
    return strides + 2 * placement.workers.count * EventHeader.pageByteCount
  }

  /// What `watch` looks at; nil where nothing is watched.
  package var watching: WatchConfiguration? {
    let triggers = triggers
    guard !triggers.isEmpty else { return nil }
    var limits: [Trigger.LimitName: Double] = [:]
    if distribution.lagMax > 0 { limits[.lagMax] = Double(distribution.lagMax) }
    if slots.onTheWay > 0 { limits[.diskBuffer] = Double(slots.onTheWay) }
    let wiring = wiring, images = images
    return WatchConfiguration(
      triggers: triggers, limits: limits,
      images: (
        images,
        placement.workers.indices.compactMap { wiring.readerNumber(of: .reconstruct($0), in: images) }
      ),
      hasLedger: live != nil && fabric?.isCorrected != true, comparesSlices: scan.comparesSlices,
      projections: shape.projections, windowStep: windows.step,
      runFolder: (scan.runFolder ?? scan.outputFolder, byteCountOfProjection),
      output: (scan.outputFolder, outputByteCount))
  }
}
