import Host
import Rings
import RunModel
import Stages

/// Memory that a run will need, computed before anything starts.
package struct MemoryEstimate: Equatable, Sendable {
  /// One kind of memory.
  struct Item: Equatable, Sendable {
    /// What it is, in a person's words.
    let name: String
    /// How much.
    let byteCount: Int
  }

  /// Regions in /dev/shm.
  let shared: [Item]
  /// Memory of the processes themselves.
  let resident: [Item]

  /// Adds up the regions and the buffers of `plan`.
  init(_ plan: RunPlan) {
    let workers = plan.placement.workers.indices
    // A ring beyond every limit needs more than any machine has.
    let rings = plan.wiring.topics.map { plan.ring($0).regionByteCount ?? 1 << 56 }
    let imageRings = plan.correction == nil ? 1 : 2
    let projections = plan.ring(.projections)
    let buffer = projections.spillSlotCount * projections.slotStride
    shared = [
      Item(
        name: plan.correction == nil ? "projections ring" : "projections rings",
        byteCount: rings[..<imageRings].reduce(0, +) - buffer),
      Item(name: "disk buffer", byteCount: buffer),
      Item(name: "event rings", byteCount: rings[imageRings...].reduce(0, +)),
      Item(name: "volumes", byteCount: workers.reduce(0) { $0 + VolumeRegion.byteCount(plan.layout(ofWorker: $1)) }),
      Item(
        name: "compared slices",
        byteCount: workers.count * (plan.sliceHistory.map(SliceHistory.byteCount) ?? 0)),
      Item(
        name: "saved subsets",
        byteCount: workers.reduce(0) { $0 + plan.solverStateRegionByteCount(ofWorker: $1) }),
      Item(
        name: "denoised volume",
        byteCount: plan.denoising == nil
          ? 0 : DenoisedVolume.byteCount(slices: plan.shape.rows, columns: plan.geometry.columns)),
      Item(
        name: "volumes of programs",
        byteCount: plan.stageVolumes.reduce(0) {
          $0 + StageVolume.byteCount(slices: plan.slices, columns: plan.geometry.columns, pixel: $1.pixel)
        }),
    ].filter { $0.byteCount > 0 }
    resident = [
      Item(
        name: "reconstruction buffers",
        byteCount: workers.reduce(0) {
          $0
            + ReconstructStage.byteCount(plan.reconstruction(ofWorker: $1), threads: plan.placement.threadsOfMemory($1))
        }),
      Item(
        name: "correction buffers",
        byteCount: plan.correction.map { CorrectStage.byteCount($0, threads: plan.placement.serviceCores.count) } ?? 0),
      Item(name: "axis search", byteCount: plan.axisSearchByteCount),
      Item(
        name: "denoising buffers",
        byteCount: plan.scan.denoise.method.map {
          DenoiseStage.byteCount($0, columns: plan.geometry.columns, threads: plan.workersPlace.threads)
        } ?? 0),
      Item(name: "stages beside the run", byteCount: plan.liveStageByteCount),
      Item(
        name: "export buffers",
        byteCount: ExportStage.byteCount(
          slices: plan.slices, columns: plan.geometry.columns, makesZarr: plan.export.zarr != nil)),
      Item(name: "processes", byteCount: plan.wiring.stages.count * Self.processByteCount),
    ].filter { $0.byteCount > 0 }
  }

  /// Bytes in /dev/shm.
  var sharedByteCount: Int { shared.reduce(0) { $0 + $1.byteCount } }
  /// Bytes of memory altogether; /dev/shm is memory too.
  var byteCount: Int { sharedByteCount + resident.reduce(0) { $0 + $1.byteCount } }

  /// What one worker has resident at most, shared memory that it touches included: three generations of its rows'
  /// volume, slices that are compared, subsets that are saved, its buffers, its rows of every slot of the projections'
  /// ring, its event rings, and the program; and a tenth for pages that are not used up.
  package static func worker(_ partition: Int, of plan: RunPlan) -> Int {
    let placement = plan.placement.workers[partition]
    let ring = plan.ring(plan.images)
    let page = EventHeader.pageByteCount
    // The pages of its rows, and the header's.
    let rows = page + (ring.payloadCapacity * placement.rows.count / max(plan.shape.rows, 1) / page + 2) * page
    // What the ring has no more is read from the journal, one event at a time, and never from a spill slot.
    let slots = ring.slotCount * rows + 2 * ring.slotStride
    let events = [Topic.orders(partition: partition), .updates(partition: partition)].reduce(0) {
      $0 + (plan.ring($1).regionByteCount ?? 0)
    }
    let buffers = ReconstructStage.byteCount(
      plan.reconstruction(ofWorker: partition), threads: plan.placement.threadsOfMemory(partition))
    let volume = VolumeRegion.byteCount(plan.layout(ofWorker: partition))
    let slices = plan.sliceHistory.map(SliceHistory.byteCount) ?? 0
    let states = plan.solverStateRegionByteCount(ofWorker: partition)
    let sum = volume + slices + states + buffers + slots + events + processByteCount
    return sum + sum / 10
  }

  /// A process without its buffers: the program, its libraries, stacks.
  private static let processByteCount = 64 << 20

  /// What this machine has no room for, with the figures.
  func shortfalls(sharedFree: Int, memoryAvailable: Int) -> [ScanFailure] {
    let advice =
      "reconstruct fewer rows (--start-row, --end-row), bin (--binning 1), or lower --disk-buffer where it was given"
    let parts = (shared + resident).map { "\($0.name) \(bytes($0.byteCount))" }.joined(separator: ", ")
    var failures: [ScanFailure] = []
    if sharedByteCount > sharedFree {
      failures.append(
        ScanFailure(
          .cannotCreate,
          "this run needs \(bytes(sharedByteCount)) of shared memory and /dev/shm has \(bytes(sharedFree)) free "
            + "(\(parts)); \(advice)"
        ))
    }
    if byteCount > memoryAvailable {
      failures.append(
        ScanFailure(
          .cannotCreate,
          "this run needs \(bytes(byteCount)) of memory and the machine has \(bytes(memoryAvailable)) available "
            + "(\(parts)); \(advice)"
        ))
    }
    return failures
  }
}

/// A number of bytes for people, in binary units.
package func bytes(_ count: Int) -> String {
  let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
  var (value, unit) = (Double(count), 0)
  while value >= 1024, unit < units.count - 1 { (value, unit) = (value / 1024, unit + 1) }
  let tenths = Int((value * 10).rounded())
  return unit == 0 ? "\(count) B" : "\(tenths / 10).\(tenths % 10) \(units[unit])"
}
