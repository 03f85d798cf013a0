import Rings
import Stages
import Tomography
import Topics

/// Memory that a run will need, computed before anything starts.
public struct MemoryEstimate: Equatable, Sendable {
  /// One kind of memory.
  public struct Item: Equatable, Sendable {
    /// What it is, in a person's words.
    public let name: String
    /// How much.
    public let byteCount: Int
  }

  /// Regions in /dev/shm.
  public let shared: [Item]
  /// Memory of the processes themselves.
  public let resident: [Item]

  /// Adds up the regions and the buffers of `plan`.
  public init(_ plan: RunPlan) {
    let workers = plan.placement.workers.indices
    // A ring beyond every limit needs more than any machine has.
    let rings = plan.topics.map { plan.ring($0).regionByteCount ?? 1 << 56 }
    shared = [
      Item(name: "projections ring", byteCount: rings[0]),
      Item(name: "event rings", byteCount: rings.dropFirst().reduce(0, +)),
      Item(name: "volumes", byteCount: workers.reduce(0) { $0 + VolumeRegion.byteCount(plan.layout(ofWorker: $1)) }),
    ]
    resident = [
      Item(
        name: "reconstruction buffers",
        byteCount: workers.reduce(0) {
          $0 + ReconstructStage.byteCount(plan.reconstruction(ofWorker: $1), threads: plan.placement.workers[$1].threads)
        }),
      Item(name: "processes", byteCount: (4 + workers.count) * (64 << 20)),
    ]
  }

  /// Bytes in /dev/shm.
  public var sharedByteCount: Int { shared.reduce(0) { $0 + $1.byteCount } }
  /// Bytes of memory altogether; /dev/shm is memory too.
  public var byteCount: Int { sharedByteCount + resident.reduce(0) { $0 + $1.byteCount } }

  /// Refuses a run that this machine has no room for, naming the figures.
  func check(sharedFree: Int, memoryAvailable: Int) throws(ScanFailure) {
    let advice = "reconstruct fewer rows (--start-row, --end-row) or bin (--binning 1)"
    let parts = (shared + resident).map { "\($0.name) \(bytes($0.byteCount))" }.joined(separator: ", ")
    guard sharedByteCount <= sharedFree else {
      throw ScanFailure(
        .cannotCreate,
        "this run needs \(bytes(sharedByteCount)) of shared memory and /dev/shm has \(bytes(sharedFree)) free (\(parts)); \(advice)")
    }
    guard byteCount <= memoryAvailable else {
      throw ScanFailure(
        .cannotCreate,
        "this run needs \(bytes(byteCount)) of memory and the machine has \(bytes(memoryAvailable)) available (\(parts)); \(advice)")
    }
  }
}

/// A number of bytes for people, in binary units.
func bytes(_ count: Int) -> String {
  let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
  var (value, unit) = (Double(count), 0)
  while value >= 1024, unit < units.count - 1 { (value, unit) = (value / 1024, unit + 1) }
  let tenths = Int((value * 10).rounded())
  return unit == 0 ? "\(count) B" : "\(tenths / 10).\(tenths % 10) \(units[unit])"
}
