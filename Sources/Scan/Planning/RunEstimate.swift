public import Host
import Rings
import Stages

/// What a run would need of this machine, and how fast it would be.
public struct RunEstimate: Codable, Sendable {
  /// What is needed, beside what there is.
  public struct Need: Codable, Sendable {
    /// Bytes that the run needs.
    public let bytes: Int
    /// Bytes that there are; nil where there is no limit.
    public let free: Int?
  }

  /// One reconstruction process.
  public struct Worker: Codable, Sendable {
    /// Its rows of every projection.
    public let rows: Int
    /// Its threads.
    public let threads: Int
    /// What it will have resident at most, shared memory that it touches included.
    public let bytes: Int
  }

  /// Projections of the scan.
  public let projections: Int
  /// Rows, after cropping and binning.
  public let rows: Int
  /// Columns, after binning.
  public let columns: Int
  /// Everything in memory, /dev/shm included.
  public let memory: Need
  /// Rings and volumes.
  public let shared: Need
  /// The files that are written.
  public let output: Need
  /// Journals and checkpoints; 0 for a run in memory.
  public let journal: Need
  /// Each reconstruction process.
  public let workers: [Worker]
  /// Windowed updates a second at most: if nothing else needs the cores, and threads did not share memory; nil where none are made.
  public let updatesPerSecond: Double?
  /// Projections a second that these keep up with: updates times the step.
  public let projectionsPerSecond: Double?
  /// Seconds of the final iterations at least.
  public let finalSeconds: Double
  /// Notices: what was assumed, what will happen.
  public let notices: [String]
  /// Everything that this machine has no room for.
  public let shortfalls: [String]

  /// Opens the input, plans the run, looks at the machine, and measures one core for a moment.
  public init(_ scan: ScanDescription, topology: Topology) throws {
    let planner = try Planner(scan, topology: topology)
    let plan = try planner.plan(runID: .random(), command: [])
    let room = try RunRoom(plan)
    (projections, rows, columns) = (plan.shape.projections, plan.shape.rows, plan.shape.columns)
    memory = Need(bytes: room.memory.byteCount, free: room.memoryAvailable)
    shared = Need(bytes: room.memory.sharedByteCount, free: room.sharedFree)
    output = Need(bytes: room.output, free: room.outputFree)
    journal = Need(bytes: room.journal, free: room.journalFree)
    workers = plan.placement.workers.enumerated().map {
      Worker(rows: $1.rows.count, threads: $1.threads, bytes: MemoryEstimate.worker($0, of: plan))
    }
    shortfalls = room.shortfalls().map(\.description)
    let speed = SpeedEstimate(plan)
    let window = speed.seconds(plan, projections: min(scan.windowLength, projections), iterations: scan.windowIter)
    updatesPerSecond = scan.windowStep > 0 ? 1 / window : nil
    projectionsPerSecond = scan.windowStep > 0 ? Double(scan.windowStep) / window : nil
    finalSeconds = speed.seconds(plan, projections: projections, iterations: scan.sweepCount)
    var notices = planner.notices(plan)
    if let rate = scan.rate, let reached = projectionsPerSecond, rate > reached, plan.distribution.lagMax > 0 {
      notices.append("--rate \(rate.scanText) is more than updates keep up with: they will be made less often")
    }
    self.notices = notices
  }
}
