import Fabric
import Foundation
import Run
import ScanPlan

// What there is to do.
extension Node {
  private static let (listPeriod, lookPeriod, idlePeriod) = (
    Duration.seconds(1), Duration.milliseconds(500), Duration.seconds(5)
  )
  /// Others may be about to register as well: how long they have before granules are shared out.
  private static let settleTime: Duration = .milliseconds(1500)
  /// Runs that are looked at, the newest ones.
  private static let runsMax = 16

  /// Looks for runs, and takes granules of them, the newest first.
  func look(_ link: NodeLink) throws(FabricError) {
    guard !isDraining, let registered, ContinuousClock.now - registered.at >= Self.settleTime,
      ContinuousClock.now >= lookDue
    else { return }
    lookDue = .now + Self.lookPeriod
    try findRuns(link)
    let newest = runs.values.sorted { $0.written > $1.written }.prefix(Self.runsMax)
    for run in newest where ContinuousClock.now >= run.lookDue {
      try keep(link)
      do throws(FabricError) { try look(at: run, link) } catch {
        // Removed meanwhile; it is found again where it comes back.
        guard case .missing = error else { throw error }
        runs[run.scan.run] = nil
      }
    }
  }

  /// Finds runs that were not known.
  private func findRuns(_ link: NodeLink) throws(FabricError) {
    guard ContinuousClock.now >= listDue else { return }
    listDue = .now + Self.listPeriod
    let present = Set(try FabricStore.runs(link.connection, key: FabricScan.key, limit: Self.limit))
    for run in runs.keys where !present.contains(run) && !jobs.contains(where: { $0.run.scan.run == run }) {
      runs[run] = nil
    }
    for run in present where runs[run] == nil && !strangers.contains(run) {
      try keep(link)
      guard let entry = try FabricStore(link.connection, run: run, limit: Self.limit).get(FabricScan.key) else {
        continue
      }
      let scan: FabricScan
      do throws(ScanFailure) { scan = try FabricScan(decoding: entry.value, run: run) } catch {
        strangers.insert(run)
        notice("\(error)")
        continue
      }
      runs[run] = try NodeRun(
        scan, written: entry.written, link.connection, limit: Self.limit, folder: settings.folder)
    }
  }

  /// Takes granules of a run, where some are free and there is room.
  private func look(at run: NodeRun, _ link: NodeLink) throws(FabricError) {
    // Leases before parts: who has made a granule tells its part before it gives the lease back.
    let leased = try run.leases.keys()
    try keep(link)
    let parts = NodeRun.granules(try run.store.keys(), "part.")
    if leased.contains(FabricNames.uplink) {
      (run.isServed, run.edgeSeen) = (true, .now)
      // Whatever failed without it is tried anew.
      if run.isAside { (run.isAside, run.failures) = (false, 0) }
    }
    let begun = drop(run.begun(), of: run, parts)
    guard !run.isAside, run.isServed || !begun.isEmpty else { return run.lookDue = .now + Self.idlePeriod }
    let count = run.scan.granuleCount
    // Looked at all the same: servers that lose everything lose parts as well.
    guard !(0..<count).allSatisfy(parts.contains) else { return run.lookDue = .now + Self.idlePeriod }
    guard run.failures < NodeRun.failuresMax, ContinuousClock.now >= run.notBefore else { return }
    let own = Set(jobs.flatMap { $0.run === run ? Array($0.granules) : [] })
    let free = Set(0..<count).subtracting(parts).subtracting(own)
      .subtracting(NodeRun.granules(leased, "granule."))
    for granules in begun where granules.allSatisfy(free.contains) {
      if try take(granules, of: run, link, all: true) { return }
    }
    guard run.isServed else { return }
    try takeShare(free.subtracting(begun.joined()), of: run, own: own.count, link)
  }

  /// What was begun here and is of no use any more goes: others have made some of it.
  private func drop(_ begun: [Range<Int>], of run: NodeRun, _ parts: Set<Int>) -> [Range<Int>] {
    begun.filter { granules in
      guard !jobs.contains(where: { $0.run === run && $0.granules == granules }) else { return false }
      let made = granules.count(where: parts.contains)
      // With all of them there this node may have made them itself, and keeps its run.
      guard made > 0 else { return true }
      guard made < granules.count || RunFolder(path: run.runFolder(granules)).isUnfinished else { return false }
      do {
        try FileManager.default.removeItem(atPath: run.outputFolder(granules))
        removeRegions()
        notice("\(NodeJob.words(run, granules)): others have made some of them; what was begun here is removed")
      } catch { tellOnce("cannot remove \(run.outputFolder(granules)): \(error.localizedDescription)") }
      return false
    }
  }

  /// Takes as many as are this node's share, as far as it has room.
  private func takeShare(_ free: Set<Int>, of run: NodeRun, own: Int, _ link: NodeLink) throws(FabricError) {
    guard !free.isEmpty else { return }
    let names = Set(try link.nodes.keys()).union([settings.name]).sorted(), count = run.scan.granuleCount
    let most = settings.granulesMax(rows: run.scan.granuleRows)
    let limit = min(GranuleChoice.share(of: count, nodes: names.count) - own, most - granuleCount)
    guard
      let granules = GranuleChoice.next(
        free: free, of: count, limit: limit, place: names.firstIndex(of: settings.name) ?? 0, nodes: names.count)
    else { return }
    _ = try take(granules, of: run, link, all: false)
  }

  /// Takes consecutive granules: `all` of them, or as many of the first ones as there is room for and nobody else was
  /// faster with. Whether a process was started.
  private func take(
    _ granules: Range<Int>, of run: NodeRun, _ link: NodeLink, all: Bool
  ) throws(FabricError) -> Bool {
    guard let (granules, byteCount) = fitting(granules, of: run, all: all) else { return false }
    var leases: [FabricLease] = []
    for granule in granules {
      try keep(link)
      let record = LeaseRecord(node: settings.name, of: run.scan.events)
      // Where servers do not answer, what was taken lapses by itself.
      guard let lease = try FabricLease.take(FabricNames.lease(granule), in: run.leases, record) else { break }
      leases.append(lease)
    }
    guard leases.count == granules.count || !all && !leases.isEmpty else {
      for lease in leases { try lease.release() }
      return false
    }
    let taken = granules.lowerBound..<granules.lowerBound + leases.count
    do { try start(run, taken, leases, byteCount: byteCount) } catch {
      run.failures += 1
      run.notBefore = .now + .seconds(2)
      notice("\(NodeJob.words(run, taken)) cannot be begun: \(error)")
      for lease in leases { try lease.release() }
      return false
    }
    return true
  }

  /// As many of the first granules as this machine has room for, and the memory that they need; nil for none.
  private func fitting(_ granules: Range<Int>, of run: NodeRun, all: Bool) -> (Range<Int>, byteCount: Int)? {
    let free = settings.memoryByteCount - jobs.reduce(0) { $0 + $1.byteCount }
    var count = granules.count
    while count > 0 {
      let some = granules.lowerBound..<granules.lowerBound + count
      do {
        let need = try run.scan.need(scan(of: run, some))
        if let shortfall = need.shortfall {
          tellRoom(run, some, shortfall)
        } else if need.byteCount > free {
          tellRoom(run, some, "it needs \(bytes(need.byteCount)), and \(bytes(max(0, free))) of this node's are free")
        } else {
          return (some, need.byteCount)
        }
      } catch {
        run.failures = NodeRun.failuresMax
        notice("\(run.words) cannot be made here: \(error)")
        return nil
      }
      count = all ? 0 : count / 2
    }
    return nil
  }

  private func tellRoom(_ run: NodeRun, _ granules: Range<Int>, _ reason: String) {
    guard granules.count == 1, !run.isRoomTold else { return }
    run.isRoomTold = true
    notice("\(run.words): no room for a granule at present: \(reason)")
  }
}
