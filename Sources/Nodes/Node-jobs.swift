import Fabric
import Foundation
import Host
import Run
import ScanPlan

// The processes that make granules.
extension Node {
  /// Takes note of those that ended, and kills those whose right has ended (F8).
  func watchJobs() throws {
    for job in jobs where job.killed == nil {
      guard let lease = job.leases.first(where: \.isLost) else { continue }
      try job.kill("the lease of \(lease.key) could not be renewed in time")
    }
    for (index, job) in jobs.enumerated().reversed() {
      guard let status = try job.reap() else { continue }
      jobs.remove(at: index)
      settle(job, status)
      do throws(FabricError) { for lease in job.leases { try lease.release() } } catch {
        // It ends by itself.
        tellOnce("\(error)")
      }
    }
  }

  private static let edgeLookPeriod: Duration = .seconds(2)

  /// Ends what waits for the images of an edge that is gone, where others could use the room; what it has taken stays
  /// on disk, and it is taken up again when the edge is back.
  func watchEdges(_ link: NodeLink) throws(FabricError) {
    guard ContinuousClock.now >= edgeLookDue else { return }
    edgeLookDue = .now + Self.edgeLookPeriod
    for run in runs.values {
      let waiting = jobs.filter { $0.run === run && $0.killed == nil && $0.needsEdge }
      guard !waiting.isEmpty else { continue }
      try keep(link)
      if try run.leases.get(FabricNames.uplink) != nil { run.edgeSeen = .now }
      let away = ContinuousClock.now - run.edgeSeen
      for job in waiting where min(away, job.idleTime) >= settings.edgePatience { setAside(job) }
      guard !run.isAside, waiting.contains(where: { min(away, $0.idleTime) >= EdgeWatch.toldAfter }) else { continue }
      tellOnce(
        "\(run.words): its edge is away, and no image comes; waiting for it for \(settings.edgePatience) (slipring "
          + "resume there)")
    }
  }

  private func setAside(_ job: NodeJob) {
    job.run.isAside = true
    do throws(HostError) {
      try job.kill("nothing came of its edge for \(settings.edgePatience); taken up again when that is back")
    } catch { tellOnce("\(error)") }
  }

  private static let roomLookPeriod: Duration = .seconds(1)

  /// Leaves to others what waits for room on this node's disk for too long: a lease that is renewed keeps everybody
  /// else waiting as well. It is taken up again where there is room before anybody has made it.
  func watchRoom() throws {
    guard !jobs.isEmpty, ContinuousClock.now >= roomLookDue else { return }
    roomLookDue = .now + Self.roomLookPeriod
    let free = try Machine.diskFree(settings.folder)
    for job in jobs where job.killed == nil {
      job.noteRoom(free)
      guard let since = job.roomless else { continue }
      tellOnce("\(job.words) wait for room on the disk of \(settings.folder), for \(settings.roomPatience) at most")
      guard ContinuousClock.now - since >= settings.roomPatience else { continue }
      try job.kill("there was no room on its disk for \(settings.roomPatience); taken up again where there is")
    }
  }

  private static let (pause, pauseMax) = (2, 60)

  private func settle(_ job: NodeJob, _ status: ExitStatus) {
    let run = job.run
    run.lookDue = .now
    if let reason = job.killed {
      run.notBefore = .now + .seconds(1)
      removeRegions()
      return notice("\(job.words) stopped: \(reason)")
    }
    guard status != .exited(0) else {
      // Where the fabric did not hear of them the run is taken up again, after a moment.
      run.notBefore = .now + .seconds(RunFolder(path: run.runFolder(job.granules)).isBegun ? 2 : 0)
      return notice("\(job.words) done in \(job.seconds) s, in \(run.outputFolder(job.granules))")
    }
    guard !isDraining || status == .killed(signal: SIGKILL) else { return notice("\(job.words) stopped") }
    run.failures += 1
    run.notBefore = .now + .seconds(min(Self.pause * run.failures * run.failures, Self.pauseMax))
    let reason = job.lastWords ?? "its process \(status.words)"
    notice(
      "\(job.words) failed, \(run.failures) of \(NodeRun.failuresMax) times that this node tries the run: \(reason)")
  }

  /// Starts a process for granules whose leases this node has.
  func start(_ run: NodeRun, _ granules: Range<Int>, _ leases: [FabricLease], byteCount: Int) throws {
    let scan = scan(of: run, granules)
    try DurableFolder.make(run.folder, for: .owner)
    try writeFileAtomically(
      path: NodeJob.scanFile(run, granules),
      bytes: Array(ScanFile.effective(scan, command: CommandLine.arguments).utf8), isPrivate: true)
    let goesOn = RunFolder(path: run.runFolder(granules)).isBegun
    jobs.append(try NodeJob(run, granules, leases, byteCount: byteCount, executable: executable))
    notice("\(NodeJob.words(run, granules)) \(goesOn ? "taken up again" : "taken")")
  }

  /// What the process is to do.
  func scan(of run: NodeRun, _ granules: Range<Int>) -> ScanDescription {
    run.scan.description(
      of: settings.scan, servers: "\(settings.address)", granules, outputFolder: run.outputFolder(granules),
      runFolder: run.runFolder(granules))
  }
}
