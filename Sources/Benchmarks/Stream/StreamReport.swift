public import Scan

/// What `bench stream` measured.
public struct StreamReport: Codable, Sendable {
  /// One run of the whole pipeline.
  public struct Run: Codable, Sendable {
    /// `durable` or `memory`.
    public var durability: String
    /// Projections a second at most; nil for as fast as it goes, where latencies are those of a full ring.
    public var rateLimit: Double?
    /// Projections that every worker used.
    public var projections: Int
    /// Windowed updates, those after the last projection included.
    public var updates: Int
    /// From the first image acquired to the last update. Reading the file is in it, the export is not.
    public var seconds: Double
    /// Projections over seconds.
    public var projectionsPerSecond: Double
    /// Updates over seconds.
    public var updatesPerSecond: Double
    /// Time that a worker spent in updates, over seconds; nil without a journal.
    public var updateShare: Double?
    /// Single updates of all workers; nil without a journal.
    public var update: Latency?
    /// From acquisition to the first updated volume of all workers that uses the projection; nil without a journal.
    public var latency: Latency?
    /// Processor time by stage, and of the supervisor.
    public var cpuSeconds: [String: Double]
    /// The most resident memory by stage, shared memory included.
    public var peakBytes: [String: Int]
    /// Estimate and peak of the memory of each worker.
    public var memory: [String: WorkerMemory]
    /// Records, padding included; 0 without a journal.
    public var journalBytes: Int
    /// Megabytes (10⁶) of them a second.
    public var journalMegabytesPerSecond: Double
    /// From the last update to the end of the export.
    public var exportSeconds: Double
    /// How often each stage was started again.
    public var restarts: [String: Int]
  }

  /// Runs with journal and checkpoints in turn with runs without.
  public struct Comparison: Codable, Sendable {
    /// The runs, two by two: durable and memory.
    public var pairs: [Pair]
    /// Median of 1 − (durable updates a second / memory updates a second).
    public var cost: Double
    /// The least and the most of the pairs.
    public var costRange: [Double]
    /// Median of (durable processor time / memory processor time) − 1, export excluded.
    public var cpuCost: Double
  }

  /// One after the other.
  public struct Pair: Codable, Sendable {
    /// With journal and checkpoints.
    public var durable: Run
    /// Without.
    public var memory: Run

    var cost: Double { 1 - durable.updatesPerSecond / memory.updatesPerSecond }
    var cpuCost: Double { durable.streamCPUSeconds / memory.streamCPUSeconds - 1 }
  }

  /// `release`, or `debug`, whose figures are not the product's.
  public var build: String
  /// The processor's name.
  public var processor: String
  /// Cores that this process may use.
  public var cores: Int
  /// Projections, rows, columns.
  public var shape: [Int]
  /// What an update was.
  public var algorithm: String
  /// Whether voxels outside the inscribed disk were left out.
  public var diskMask: Bool
  /// Projections of a window.
  public var windowLength: Int
  /// Projections between updates.
  public var windowStep: Int
  /// Iterations of an update.
  public var windowIterations: Int
  /// How often volumes are saved in a durable run.
  public var checkpointEvery: String
  /// As fast as it goes. The first of the comparison, where there is one.
  public var saturated: Run?
  /// At a part of that rate: what latencies are without a queue.
  public var paced: Run?
  /// With and without journal and checkpoints.
  public var comparison: Comparison?
}

extension StreamReport.Run {
  /// Processor time of everything but the export.
  var streamCPUSeconds: Double { cpuSeconds.filter { $0.key != "export" }.values.reduce(0, +) }
}
