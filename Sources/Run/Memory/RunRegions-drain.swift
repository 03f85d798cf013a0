import Glibc
import Host
import Rings
import RunModel
import ScanPlan
import Topics

// What acquire had taken and was still on its way to disk when it ended: seconds of images where the disk was slow.
// They are in shared memory, whole.
extension RunRegions {
  /// A writer that died gives up the journal with its last write.
  private static let lockLimit: Duration = .seconds(30)

  /// Makes it durable, before that memory goes; returns how many events it was. For a ring whose writer is dead.
  static func drainAcquired(in ring: Ring, _ plan: RunPlan, _ folder: RunFolder) throws -> Int {
    try TopicTakeover.drain(
      ring, folder: folder.journal(.projections), mirror: folder.mirror(.projections, plan), wait: lockLimit)
  }

  /// The same for a run whose supervisor was killed, while its memory is there; 0 where it is not, as after the
  /// machine's end. Throws where the images are there and cannot be kept now: they stay where they are.
  static func drainAcquired(_ plan: RunPlan, _ folder: RunFolder) throws -> Int {
    try RegionNames.find(plan.runID).reduce(0) { try $0 + drainAcquired(plan, folder, $1) }
  }

  private static func drainAcquired(_ plan: RunPlan, _ folder: RunFolder, _ names: RegionNames) throws -> Int {
    let deadline = Deadline(after: lockLimit)
    while byteCount(names.ring(.projections)) != nil {
      // Who asks whether it is held shares it for a moment; who was faster and goes on with the run has it for good.
      if let lock = try RegionLock.takeOver(name: names.lock) {
        defer { withExtendedLifetime(lock) {} }
        return try drainAcquired(
          in: Ring.attach(name: names.ring(.projections), expecting: plan.ring(.projections).identity), plan,
          folder)
      }
      try folder.refuseIfSupervised()
      guard !deadline.hasPassed else { throw HostError.regionTaken(name: names.lock) }
      usleep(10_000)
    }
    return 0
  }
}
