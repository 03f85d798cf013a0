import Glibc
package import Host
import Journal
import Rings
import RunModel
import ScanPlan
import Stages
import Topics

/// Everything that a run has in /dev/shm, in a folder of its own. Made by the supervisor before any stage starts; its
/// names go when this object does.
package final class RunRegions {
  /// The run's rings, in the order of `RunWiring.topics`.
  let rings: [Topic: Ring]
  /// Signs of life, a line for each of `RunWiring.stages`.
  let heartbeats: Heartbeats
  /// The run's figures; nil where nothing is watched.
  let gauges: GaugesRegion?
  /// What is connected to what.
  let wiring: RunWiring
  /// Where they are.
  let names: RegionNames
  /// Whether events are on disk as well.
  let isDurable: Bool
  private let regionNames: [String]
  private var staysForResume = false
  /// What makes this process the run's only supervisor, and what tells that these regions have an owner.
  private let locks: (run: LockFile, regions: RegionLock)
  private let sizes: [(name: String, byteCount: Int)]
  private let whatIsKept: String

  /// Creates all regions of `plan`, for a run that goes on after what its journals and checkpoints hold: nothing, for a
  /// new one. On failure nothing of them stays. `lookUp` is called between one and the next, and may throw.
  init(_ plan: RunPlan, folder: RunFolder, lookUp: () throws -> Void = {}) throws {
    let lock = try Self.lock(folder)
    let (names, regionsLock) = try Self.makeFolder(plan.runID)
    do {
      var rings: [Topic: Ring] = [:]
      for topic in plan.wiring.topics {
        try lookUp()
        let history = plan.scan.durability == .durable ? try Self.history(of: topic, plan, folder) : nil
        rings[topic] = try Ring.create(
          name: names.ring(topic), specification: plan.ring(topic, after: history), node: Self.node(of: topic, plan))
      }
      FaultPoint.regionsHalf.reach()
      for (partition, worker) in plan.placement.workers.enumerated() {
        try lookUp()
        let volume = try VolumeRegion.create(
          name: names.volume(partition), runID: plan.runID, partition: partition,
          layout: plan.layout(ofWorker: partition), live: plan.liveLayout(ofWorker: partition),
          coarse: plan.coarseLayout(ofWorker: partition),
          node: worker.node)
        if let shape = plan.sliceHistory {
          _ = try SliceHistory.create(
            name: names.slices(partition), runID: plan.runID, partition: partition, shape: shape, node: worker.node)
        }
        if let byteCount = plan.solverStateByteCount(ofWorker: partition) {
          _ = try SolverStateRegion.create(
            name: names.solverState(partition), runID: plan.runID, partition: partition, stateByteCount: byteCount,
            node: worker.node)
        }
        if plan.scan.durability == .durable {
          try volume.restore { try plan.checkpoint(ofWorker: partition, in: folder).readNewest(into: $0) }
        }
      }
      if plan.denoising != nil {
        _ = try DenoisedVolume.create(
          name: names.denoisedVolume, runID: plan.runID, slices: plan.shape.rows, columns: plan.geometry.columns,
          node: plan.placement.serviceNode)
      }
      for stage in plan.stageVolumes {
        _ = try StageVolume.create(
          name: names.stageVolume(stage.name), runID: plan.runID, slices: plan.slices, columns: plan.geometry.columns,
          pixel: stage.pixel, node: plan.placement.serviceNode)
      }
      gauges = plan.watching == nil ? nil : try GaugesRegion.create(names, plan.runID)
      heartbeats = try Heartbeats.create(names, plan.runID, stageCount: plan.wiring.stages.count)
      self.rings = rings
      wiring = plan.wiring
      isDurable = plan.scan.durability == .durable
      sizes = try Self.sizes(names)
      whatIsKept = plan.whatIsKept
      locks = (lock, regionsLock)
      self.names = names
      regionNames = Self.regionNames(names, plan)
    } catch {
      Self.unlink(Self.regionNames(names, plan))
      throw error
    }
  }

  deinit { if !staysForResume { Self.unlink(regionNames) } }

  /// Leaves all names where they are, as after a supervisor that was killed: what is in memory only can be had by who
  /// resumes the run.
  func stayForResume() { staysForResume = true }

  /// Who asks whether a lock is held has it for a moment.
  private static let lockLimit: Duration = .seconds(2)
  private static let attemptsMax = 16

  /// The lock that makes this process the run's only supervisor.
  private static func lock(_ folder: RunFolder) throws -> LockFile {
    let deadline = Deadline(after: lockLimit)
    while true {
      if let lock = try LockFile(path: folder.lock) { return lock }
      // Another one was faster.
      try folder.refuseIfSupervised()
      guard !deadline.hasPassed else {
        throw ScanFailure(.cannotCreate, "somebody holds \(folder.lock); try again when they are done")
      }
      usleep(10_000)
    }
  }

  /// A folder that nobody else has, and its lock.
  private static func makeFolder(_ runID: RunID) throws(HostError) -> (RegionNames, RegionLock) {
    var failure = HostError.regionTaken(name: RegionNames.common)
    for _ in 0..<attemptsMax {
      let names = RegionNames.random(runID)
      guard let folder = names.folder else { preconditionFailure("\(names.prefix) has no folder") }
      do throws(HostError) {
        try RegionFolder.create(folder)
      } catch .regionTaken {
        failure = .regionTaken(name: folder)
        continue
      }
      do throws(HostError) {
        return (names, try RegionLock(name: names.lock))
      } catch {
        RegionFolder.removeIfEmpty(folder)
        throw error
      }
    }
    throw failure
  }

  private static func sizes(_ names: RegionNames) throws -> [(name: String, byteCount: Int)] {
    try SharedRegion.names(prefix: names.prefix).compactMap { name in byteCount(name).map { (name, $0) } }
  }

  /// Bytes of a region now; nil where its name is gone.
  static func byteCount(_ name: String) -> Int? {
    var status = stat()
    return lstat("/dev/shm/" + name, &status) == 0 ? Int(status.st_size) : nil
  }

  /// Throws where somebody made a region shorter, or the one that is named: whoever touches what is missing is ended by
  /// SIGBUS. A name that is gone harms nobody who has the region mapped.
  func checkSizes(of only: String? = nil) throws(ScanFailure) {
    for (name, expected) in sizes where only == nil || name == only {
      guard let found = Self.byteCount(name), found < expected else { continue }
      throw ScanFailure(
        .system, "shared memory /dev/shm/\(name) was cut from \(expected) to \(found) bytes while in use; \(whatIsKept)"
      )
    }
  }

  /// Where a topic's journal ends. Its lock is taken meanwhile, so writes of a writer that died have landed.
  private static func history(of topic: Topic, _ plan: RunPlan, _ folder: RunFolder) throws -> JournalWriter.State? {
    let specification = plan.ring(topic)
    let journals = RunJournals(folder, plan)
    // What is missing of orders is made again of projections, which are whole where a run goes on.
    let floor = topic.kind == .orders ? 0 : try journals.durableFloor(of: topic)
    let report = try journals.report(on: topic, depth: .tail, durableFloor: floor)
    // A journal without records has had a writer all the same, whose epoch has ended; and one that lost every segment
    // goes on behind what was given up.
    guard !report.segments.isEmpty || report.epoch > 0 || report.nextSequence > 0 || !report.isIntact else {
      return nil
    }
    return try TopicTakeover.end(
      ofJournalIn: folder.journal(topic), mirror: folder.mirror(topic, plan), specification, after: report.epoch,
      durableFloor: floor)
  }

  /// A worker's rings lie where it computes, the others where acquire runs.
  private static func node(of topic: Topic, _ plan: RunPlan) -> Int {
    topic.kind.partitions == .worker ? plan.placement.workers[topic.partition].node : plan.placement.serviceNode
  }

  /// Every name that a run may have. The lock comes last: what has none is never looked for.
  private static func regionNames(_ names: RegionNames, _ plan: RunPlan) -> [String] {
    let workers = plan.placement.workers.indices
    return plan.wiring.topics.map(names.ring) + workers.map(names.volume) + workers.map(names.slices)
      + workers.map(names.solverState) + plan.stageVolumes.map { names.stageVolume($0.name) } + [
        names.denoisedVolume, names.gauges, names.heartbeats, names.lock,
      ]
  }

  /// Removes the names of a run whose lock this process holds; of any other nothing. For a process that has to end
  /// while its regions are made.
  static func removeOwn(_ plan: RunPlan) {
    do {
      for names in try RegionNames.find(plan.runID)
      where try RegionLock.holder(name: names.lock) == "process \(getpid())" {
        unlink(regionNames(names, plan))
        if let folder = names.folder { RegionFolder.removeIfEmpty(folder) }
      }
    } catch {
      // A later run removes them.
    }
  }

  /// Removes names, those that are there. Not by looking which there are: for that a process needs a descriptor, which
  /// may be what it ran out of. What cannot be removed now, a later run removes.
  private static func unlink(_ names: [String]) {
    for name in names { do { try SharedRegion.unlink(name: name) } catch { continue } }
  }

  /// Names that dead runs of this user left behind: those whose lock nobody holds. A run's lock comes last, so that a
  /// removal in this order can be interrupted and repeated.
  package static func dead() throws(HostError) -> [String] {
    let all = try SharedRegion.names(prefix: RegionNames.common)
    var dead: [String] = []
    for lock in all where isLock(lock) {
      guard try !RegionLock.isHeld(name: lock) else { continue }
      let prefix = lock.dropLast("lock".count)
      dead += all.filter { $0.hasPrefix(prefix) && $0 != lock } + [lock]
    }
    return dead
  }

  /// Removes what dead runs left behind. Returns how many regions that were.
  package static func removeDeadRegions() throws(HostError) -> Int {
    var count = try removeAbandonedFolders()
    for lock in try SharedRegion.names(prefix: RegionNames.common) where isLock(lock) {
      // Two that look at the same time must not remove what a third made in between, so only who has the lock removes.
      guard let taken = try RegionLock.takeOver(name: lock) else { continue }
      let names = try SharedRegion.names(prefix: String(lock.dropLast("lock".count))).filter { $0 != lock } + [lock]
      for name in names { try remove(name) }
      count += names.count
      withExtendedLifetime(taken) {}
    }
    return count
  }

  /// Another run that starts at the same moment may remove the same names.
  private static func remove(_ name: String) throws(HostError) {
    do throws(HostError) {
      try SharedRegion.unlink(name: name)
    } catch .system(_, _, Errno(rawValue: ENOENT)) {
      return
    }
  }

  /// Whether a name is that of a lock: of a run's folder, or of something that lies in /dev/shm itself.
  private static func isLock(_ name: String) -> Bool { name.hasSuffix("/lock") || name.hasSuffix("-lock") }

  /// A folder gets its lock at once; one that has had none for so many seconds gets none any more.
  private static let abandonedAfter = 60

  /// Removes folders whose owner died between making them and locking them.
  private static func removeAbandonedFolders() throws(HostError) -> Int {
    var count = 0
    for folder in try RegionFolder.names(prefix: RegionNames.common) {
      let names = RegionNames(folder: folder)
      guard byteCount(names.lock) == nil, RegionFolder.age(folder) ?? 0 > abandonedAfter else { continue }
      let left = try SharedRegion.names(prefix: names.prefix)
      for name in left { try remove(name) }
      RegionFolder.removeIfEmpty(folder)
      count += left.count
    }
    return count
  }
}
