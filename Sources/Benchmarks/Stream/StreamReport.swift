package import Run

/// What `bench stream` measured.
package struct StreamReport: Codable, Sendable {
  /// One run of the whole pipeline.
  package struct Run: Codable, Sendable {
    /// `durable` or `memory`.
    package var durability: String
    /// Projections a second at most; nil for as fast as it goes, where latencies are those of a full ring.
    package var rateLimit: Double?
    /// Projections that every worker used.
    package var projections: Int
    /// Windowed updates, those after the last projection included.
    package var updates: Int
    /// From the first image acquired to the last update. Reading the file is in it, the export is not.
    package var seconds: Double
    /// Projections over seconds.
    package var projectionsPerSecond: Double
    /// Updates over seconds.
    package var updatesPerSecond: Double
    /// Time that a worker spent in updates, over seconds; nil without a journal.
    package var updateShare: Double?
    /// Single updates of all workers; nil without a journal.
    package var update: Latency?
    /// From acquisition to the first updated volume of all workers that uses the projection; nil without a journal.
    package var latency: Latency?
    /// Processor time by stage, and of the supervisor.
    package var cpuSeconds: [String: Double]
    /// The most resident memory by stage, shared memory included.
    var peakBytes: [String: Int]
    /// Estimate and peak of the memory of each worker.
    package var memory: [String: WorkerMemory]
    /// Records, padding included; 0 without a journal.
    package var journalBytes: Int
    /// Megabytes (10⁶) of them a second.
    package var journalMegabytesPerSecond: Double
    /// From the last update to the end of the export.
    package var exportSeconds: Double
    /// How often each stage was started again.
    package var restarts: [String: Int]
  }

  /// A run with windows of one kind among several, and what its updates reach over all of its time.
  package struct Windows: Codable, Sendable {
    /// As in `24, 1`: length, step.
    package var windows: String
    /// As fast as it goes.
    package var run: Run
    /// Processor time of all workers for one projection.
    package var workerSeconds: Double
    /// Updates of a voxel by a projection, forward and back, 10⁹ a second.
    package var gigaupdates: Double
    /// Of what all cores can multiply and add in registers.
    package var fractionOfMultiplyAdds: Double
    /// What they move at least, of what all cores can read of memory.
    package var fractionOfMemory: Double
  }

  /// Runs with journal and checkpoints in turn with runs without.
  package struct Comparison: Codable, Sendable {
    /// The runs, two by two: durable and memory.
    package var pairs: [Pair]
    /// Median of 1 − (durable updates a second / memory updates a second).
    package var cost: Double
    /// The least and the most of the pairs.
    package var costRange: [Double]
    /// Median of (durable processor time / memory processor time) − 1, export excluded.
    package var cpuCost: Double
  }

  /// One after the other.
  package struct Pair: Codable, Sendable {
    /// With journal and checkpoints.
    package var durable: Run
    /// Without.
    package var memory: Run

    var cost: Double { 1 - durable.updatesPerSecond / memory.updatesPerSecond }
    var cpuCost: Double { durable.streamCPUSeconds / memory.streamCPUSeconds - 1 }
  }

  /// `release`, or `debug`, whose figures are not the product's.
  package var build: String
  /// The processor's name.
  package var processor: String
  /// Cores that this process may use.
  package var cores: Int
  /// Projections, rows, columns.
  package var shape: [Int]
  /// What an update was.
  package var algorithm: String
  /// Whether voxels outside the inscribed disk were left out.
  var diskMask: Bool
  /// Projections of a window; of several kinds the first, of spread ones the newest.
  package var windowLength: Int
  /// Projections between updates.
  package var windowStep: Int
  /// Iterations of an update.
  package var windowIterations: Int
  /// How often volumes are saved in a durable run.
  var checkpointEvery: String
  /// As fast as it goes. The first of the comparison, where there is one.
  package var saturated: Run?
  /// At a part of that rate: what latencies are without a queue.
  package var paced: Run?
  /// With windows of several kinds, in turn; nil for one.
  package var windows: [Windows]?
  /// With and without journal and checkpoints.
  package var comparison: Comparison?
}

extension StreamReport.Run {
  /// Processor time of all workers.
  var workerSeconds: Double { cpuSeconds.filter { $0.key.hasPrefix("reconstruct.") }.values.reduce(0, +) }

  /// Processor time of everything but the export.
  var streamCPUSeconds: Double { cpuSeconds.filter { $0.key != "export" }.values.reduce(0, +) }
}
