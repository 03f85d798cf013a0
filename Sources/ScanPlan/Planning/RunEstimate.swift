package import Host
import Rings
import Stages
import Tomography

/// What a run would need of this machine, and how fast it would be.
package struct RunEstimate: Codable, Sendable {
  /// What is needed, beside what there is.
  package struct Need: Codable, Sendable {
    /// Bytes that the run needs.
    package let bytes: Int
    /// Bytes that there are; nil where there is no limit.
    package let free: Int?
  }

  /// Open files of one process.
  package struct Descriptors: Codable, Sendable {
    /// What the run needs.
    package let needed: Int
    /// What a process may have (`ulimit -n`).
    package let limit: Int
  }

  /// One reconstruction process.
  package struct Worker: Codable, Sendable {
    /// Its rows of every projection.
    package let rows: Int
    /// Its threads.
    package let threads: Int
    /// What it will have resident at most, shared memory that it touches included.
    package let bytes: Int
    /// Of a band, the worker that makes it at first.
    package let worker: Int?
  }

  /// Projections of the scan.
  package let projections: Int
  /// Rows, after cropping and binning.
  package let rows: Int
  /// Columns, after binning.
  package let columns: Int
  /// Columns of a slice, which has as many rows.
  package let sliceColumns: Int
  /// Everything in memory, /dev/shm included.
  package let memory: Need
  /// Rings and volumes.
  package let shared: Need
  /// The files that are written.
  package let output: Need
  /// Journals and checkpoints; 0 for a run in memory. Of a live series also frames that wait for their volume.
  package let journal: Need
  /// Files that one process has open at most, and how many the system allows.
  package let descriptors: Descriptors
  /// Each reconstruction process.
  package let workers: [Worker]
  /// Windowed updates a second at most: if nothing else needs the cores, and threads did not share memory; nil where
  /// none are made.
  package let updatesPerSecond: Double?
  /// Projections a second that these keep up with: updates times the step.
  package let projectionsPerSecond: Double?
  /// Seconds of the final iterations at least.
  package let finalSeconds: Double
  /// Whether updates keep up with the rate that is expected; nil where none is.
  package let expectation: String?
  /// Notices: what was assumed, what will happen.
  package let notices: [String]
  /// Everything that this machine has no room for.
  package let shortfalls: [String]

  /// Opens the input, plans the run, looks at the machine, and measures one core for a moment.
  package init(_ whole: ScanDescription, topology: Topology) throws {
    // Of a series, the run of one volume after the other.
    try whole.validate()
    let parts = try whole.volumeEvery.map { try whole.seriesParts($0) }
    let scan = parts.map { whole.part($0[0]) } ?? whole, runs = parts?.count ?? 1
    let planner = try Planner(scan, topology: topology)
    let plan = try planner.plan(runID: .random(), command: [])
    let room = try RunRoom(plan)
    (projections, rows, columns) = (plan.shape.projections, plan.shape.rows, plan.shape.columns)
    sliceColumns = plan.geometry.columns
    memory = Need(bytes: room.memory.byteCount, free: room.memoryAvailable)
    shared = Need(bytes: room.memory.sharedByteCount, free: room.sharedFree)
    func disk(_ bytes: Int, _ free: Int) -> Need { Need(bytes: bytes, free: free == .max ? nil : free) }
    let series = try whole.isLive ? parts.map { try SeriesRoom(whole, parts: $0, topology: topology) } : nil
    output = disk(runs * room.output, room.outputFree)
    journal = disk((series?.spool ?? 0) + runs * room.journal, room.journalFree)
    workers = plan.placement.workers.enumerated().map {
      Worker(rows: $1.rows.count, threads: $1.threads, bytes: MemoryEstimate.worker($0, of: plan), worker: $1.worker)
    }
    descriptors = Descriptors(needed: plan.descriptorsNeeded, limit: Machine.descriptorLimit.soft)
    let descriptorShortfall =
      descriptors.needed <= descriptors.limit
      ? nil
      : "the run needs \(descriptors.needed) open files a process and \(descriptors.limit) are allowed; "
        + "raise the hard limit (ulimit -Hn, LimitNOFILE in a systemd unit)"
    shortfalls =
      room.shortfalls().map(\.description) + [descriptorShortfall, series?.shortfall?.description].compactMap { $0 }
    let speed = try SpeedEstimate(plan, padding: try planner.gridPadding(plan))
    let (window, step) = (speed.updateSeconds(plan), plan.windows.step)
    updatesPerSecond = step > 0 ? 1 / window : nil
    projectionsPerSecond = step > 0 ? Double(step) / window : nil
    finalSeconds = speed.finalSeconds(plan)
    var notices = planner.notices(plan) + room.notices
    if runs > 1 {
      notices.append("\(runs) volumes after each other; memory, rates and seconds are those of one, disk is of all")
    }
    if let series { notices.append(series.notice) }
    if let rate = scan.rate, let reached = projectionsPerSecond, rate > reached, plan.distribution.lagMax > 0 {
      notices.append("--rate \(rate.scanText) is more than updates keep up with: they will be made less often")
    }
    notices += plan.watching?.unwatched ?? []
    expectation = plan.expectation(sustained: projectionsPerSecond)
    if let expectation { notices.append(expectation) }
    self.notices = notices
  }
}
