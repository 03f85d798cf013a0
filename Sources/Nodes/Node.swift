import Fabric
import Foundation
package import Host
import Rings
import Run
import ScanPlan

/// Makes slices of any run whose images are on a fabric, for as long as it lives: takes free granules, as many as it
/// has room for, and starts a run of its own program for them.
///
/// ```
/// register, renew leases ─► look for runs, newest first ─► take free granules ─► a process that makes them
///         ▲                                                                      │
///         └─ a lease that is lost kills its process ◄────────────────────────────┘ part.<g> is there: release
/// ```
/// It runs nothing that a plan names, and writes below its own folder only. What it knows is on the servers and in its
/// folder: one that is killed goes on where it was when it is started again.
package final class Node {
  let settings: NodeSettings
  let executable: String
  let notice: (String) -> Void
  var runs: [RunID: NodeRun] = [:]
  var jobs: [NodeJob] = []
  /// Runs whose plans are of no use here.
  var strangers: Set<RunID> = []
  /// When the list of runs is looked at again.
  var listDue = ContinuousClock.now
  /// When the edges are looked at again for which runs wait.
  var edgeLookDue = ContinuousClock.now
  /// When it is looked at again how much room there is.
  var roomLookDue = ContinuousClock.now
  /// When leases, and the servers, are looked at again.
  var lookDue = ContinuousClock.now
  private(set) var registered: (revision: UInt64, at: ContinuousClock.Instant)?
  private var (registrationDue, firstTry) = (ContinuousClock.now, ContinuousClock.Instant?.none)
  private var link: NodeLink?
  private var (backOff, notBefore, isAway) = (BackOff(), ContinuousClock.now, false)
  private var drain: Deadline?
  private var isStopping = false
  private let since: Double
  private let signals: SignalDescriptor
  private let manager: ServiceManager?
  private let lock: LockFile
  private var told: [String: ContinuousClock.Instant] = [:]
  private var statusTold = ""

  /// What there is while servers answer.
  struct NodeLink {
    let connection: FabricConnection
    let nodes: FabricStore
  }

  private static let tick: Duration = .milliseconds(100)
  /// How long servers may take to answer: a lease whose renewal they do not answer is noticed to be lost in time.
  static let limit: Duration = .seconds(1)
  private static let toldAgainAfter: Duration = .seconds(600)
  /// How long runs may take to end where nobody renews their leases any more.
  private static let stopLimit: Duration = .seconds(3)

  /// A node with `settings`, whose runs are processes of `executable`. `signals` holds SIGINT and SIGTERM and was made
  /// before any thread.
  /// - Throws: `.cannotCreate` where its folder cannot be made, or another node has it.
  package init(
    _ settings: NodeSettings, executable: String, signals: SignalDescriptor, manager: ServiceManager?,
    notice: @escaping (String) -> Void
  ) throws {
    (self.settings, self.executable, self.signals, self.manager) = (settings, executable, signals, manager)
    self.notice = notice
    since = Date.now.timeIntervalSince1970
    try RunFolder.makeFolder(settings.folder, for: .owner)
    let path = settings.folder + "/lock"
    guard let lock = try LockFile(path: path) else {
      let holder = try LockFile.holder(path: path) ?? "another process"
      throw ScanFailure(.cannotCreate, "\(settings.folder) has a node, \(holder)")
    }
    self.lock = lock
    // Its runs as well, which it starts from this thread.
    try Affinity.pin(cores: settings.cores)
  }

  /// Serves until it was asked to end and has finished what it had.
  package func run() throws {
    let room = "\(counted(settings.cores.count, "core")), \(bytes(settings.memoryByteCount))"
    notice(
      "node \(settings.name) serves \(settings.address) in \(settings.folder): \(room), "
        + "\(settings.most) at most")
    tell(.ready)
    do {
      while !isOver {
        try handleSignals()
        try watchJobs()
        try watchRoom()
        try turn()
        tellState()
        _ = try Poll.wait(readable: [signals.descriptor] + jobs.map(\.descriptor), timeout: Self.tick)
      }
    } catch {
      // Nobody renews their leases any more.
      stop()
      throw error
    }
    stop()
  }

  /// Granules that it has.
  var granuleCount: Int { jobs.reduce(0) { $0 + $1.granules.count } }

  /// Whether it takes no more.
  var isDraining: Bool { drain != nil }

  private var isOver: Bool { drain.map { isStopping || jobs.isEmpty || $0.hasPassed } ?? false }

  private func handleSignals() throws {
    while try signals.next() != nil {
      guard drain == nil else {
        isStopping = true
        continue
      }
      drain = Deadline(after: settings.drainLimit)
      tell(.stopping)
      notice(jobs.isEmpty ? "ending" : "taking no more; ending when \(counted(granuleCount, "granule")) are done")
    }
  }

  /// What servers are to know and to say, as far as they answer.
  private func turn() throws {
    guard ContinuousClock.now >= notBefore else { return }
    do throws(FabricError) {
      let link = try connected()
      try keep(link)
      try watchEdges(link)
      try look(link)
      if isAway { notice("the fabric \(settings.address) answers again") }
      isAway = false
      backOff.succeed()
    } catch {
      // The library connects again by itself, unless a server does not know the key any more.
      if case .closed = error { throw error }
      guard error.mayPass || isTransient(error) else { throw error }
      if !isAway { notice("\(error); trying again") }
      isAway = true
      notBefore = .now + backOff.fail()
    }
  }

  /// What servers say that are about to begin, or to end, or that keep no more of a run that is removed.
  private func isTransient(_ error: FabricError) -> Bool {
    switch error {
    case .missing, .conflict, .full, .damaged: true
    case .refused: registered != nil
    default: false
    }
  }

  private func connected() throws(FabricError) -> NodeLink {
    if let link { return link }
    let connection = try FabricConnection(settings.address, name: "slipring node \(settings.name)", patience: .zero)
    let link = NodeLink(connection: connection, nodes: try FabricStore(nodes: connection, limit: Self.limit))
    self.link = link
    return link
  }

  /// Renews its place among the nodes, and the leases. To be called between any two questions to the servers.
  func keep(_ link: NodeLink) throws(FabricError) {
    let due = Dictionary(
      grouping: jobs.filter { job in
        job.killed == nil && (job.leases.contains(where: \.isDue) || job.hasNewScores())
      }
    ) { ObjectIdentifier($0.run) }
    for jobs in due.values {
      jobs.forEach { $0.note() }
      try FabricLease.renew(jobs.flatMap(\.leases).filter { !$0.isLost })
    }
    if isDraining { return try leave(link) }
    guard ContinuousClock.now >= registrationDue else { return }
    try register(link)
  }

  /// Others share out what is free without it.
  private func leave(_ link: NodeLink) throws(FabricError) {
    guard let (revision, _) = registered else { return }
    registered = nil
    do throws(FabricError) { try link.nodes.remove(settings.name, after: revision) } catch {
      guard case .conflict = error else { throw error }
    }
  }

  private func register(_ link: NodeLink) throws(FabricError) {
    // Of the usual size, where its cores say how many.
    let record = NodeRecord(
      node: settings.name, version: programVersion, cores: settings.cores.count,
      memory: UInt64(settings.memoryByteCount), granulesMax: settings.granulesMax(rows: 16),
      granules: granuleCount, since: since)
    do throws(FabricError) {
      if let (revision, begun) = registered {
        registered = (try link.nodes.update(settings.name, record.encoded(), after: revision), begun)
      } else {
        // A bucket that is not there does not answer who writes.
        _ = try link.nodes.get(settings.name)
        registered = (try link.nodes.create(settings.name, record.encoded()), .now)
      }
    } catch {
      switch error {
      case .conflict: try reclaim(link)
      // The first edge makes it, where this node may not.
      case .missing: try makeNodes(link)
      default: throw error
      }
      return
    }
    registrationDue = .now + FabricNames.lifetime / 3
  }

  /// Somebody has its name: itself, as an answer was lost, or in a life before; or another node.
  private func reclaim(_ link: NodeLink) throws(FabricError) {
    guard let entry = try link.nodes.get(settings.name) else {
      registered = nil
      return
    }
    let other = try NodeRecord(decoding: entry.value, what: "node \(settings.name)")
    if other.since == since {
      registered = (entry.revision, registered?.at ?? .now)
      return
    }
    let first = firstTry ?? .now
    (firstTry, registrationDue) = (first, .now + .milliseconds(500))
    guard registered != nil || ContinuousClock.now - first > FabricNames.lifetime * 1.5 else { return }
    throw .held("the name \(settings.name)", by: "another node")
  }

  private func makeNodes(_ link: NodeLink) throws(FabricError) {
    (registered, registrationDue) = (nil, .now + .seconds(2))
    do throws(FabricError) { try link.nodes.make(lifetime: FabricNames.lifetime) } catch {
      guard case .refused = error else { throw error }
      tellOnce("\(FabricNames.nodes) is not on the fabric yet: waiting for an edge, which makes it")
      return
    }
    registrationDue = .now
  }

  /// Says something that is not said again for a while.
  func tellOnce(_ text: String) {
    if let last = told[text], ContinuousClock.now - last < Self.toldAgainAfter { return }
    if told.count > 1000 { told = [:] }
    told[text] = .now
    notice(text)
  }

  /// Ends all processes, and gives back what it had.
  private func stop() {
    for job in jobs { attempt { try job.stop() } }
    let deadline = Deadline(after: Self.stopLimit)
    for job in jobs {
      attempt {
        guard try !job.wait(deadline.remaining) else { return }
        try job.kill("it does not end")
        _ = try job.wait(.seconds(5))
      }
      notice("\(job.words) are left: they go on when this node is started again, or elsewhere")
      attempt { try job.leases.forEach { try $0.release() } }
    }
    jobs = []
    // Also what a life before has left, whose granules others have made since.
    removeRegions()
    if let link { attempt { try leave(link) } }
  }

  /// A run that was killed leaves its shared memory behind, which is memory all the same.
  func removeRegions() { attempt { _ = try RunRegions.removeDeadRegions() } }

  private func attempt(_ body: () throws -> Void) { do { try body() } catch { notice("\(error)") } }

  private func tellState() {
    if manager?.watchdogPeriod != nil { tell(.alive) }
    let words = "\(isDraining ? "ending, " : "")\(counted(granuleCount, "granule")) in \(counted(jobs.count, "run"))"
    guard words != statusTold else { return }
    statusTold = words
    tell(.status(words))
  }

  /// A service manager that does not hear is no reason to end.
  private func tell(_ message: ServiceManager.Message) {
    do throws(HostError) { try manager?.tell(message) } catch { tellOnce("\(error)") }
  }
}
