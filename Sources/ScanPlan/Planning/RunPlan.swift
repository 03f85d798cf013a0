package import Journal
package import KernelTypes
package import Rings
package import RunModel
import ScanFiles
package import Stages
import Tomography

/// A run with every question answered: what the supervisor prepares and each stage works from. Written once, before any
/// process starts, and never changed.
package struct RunPlan: Codable, Sendable {
  /// The shapes behind the run, after cropping and binning.
  package struct Shape: Codable, Equatable, Sendable {
    /// Projections of the scan.
    package var projections: Int
    /// Flat and dark fields.
    package var flatsAndDarks: Int
    /// Flat fields among them.
    package var flats: Int
    /// Rows of a projection's payload.
    package var rows: Int
    /// Columns of it.
    package var columns: Int
    /// Detector rows that are read from the file.
    package var detectorRows: Range<Int>
    /// The number of the first reconstructed slice in file names.
    package var firstSlice: Int
    /// Bytes of the largest payload.
    package var payloadCapacity: Int
  }

  /// Slots of the rings.
  package struct Slots: Codable, Equatable, Sendable {
    /// Of `projections`.
    package var projections: Int
    /// Of `projections` beside the ring, for images on their way to disk (`DiskBuffer`); 0 where the source waits, or
    /// nothing goes to disk.
    package var onTheWay = 0
    /// Of each `chunks`.
    package var chunks: Int
    /// Of each `updates`.
    package var updates: Int
  }

  /// Identifies the run; names its regions.
  package var runID: RunID
  /// The command line.
  package var command: [String]
  /// What was asked for, with defaults filled in.
  package var scan: ScanDescription
  /// What a live source was said to deliver; nil for a scan file.
  package var live: LivePlan?
  /// The shapes.
  package var shape: Shape
  /// The rotation axis in columns of the payload.
  package var rotationAxis: Double
  /// Whether the data are counts.
  package var minusLog: Bool
  /// Size of a voxel, where the file knows it.
  package var pixelSizeMillimetres: Double?
  /// Who computes what.
  package var placement: Placement
  /// Slots of the rings.
  package var slots: Slots
  /// Projections that see the object from all directions, in the order in which they come; before that no similarity
  /// counts.
  package var projectionsCovering: Int

  /// Projections read in place by this reader's number.
  package static let distributeReader = 0, correctReader = 0
  package static func reader(ofWorker worker: Int) -> Int { 1 + worker }
  /// Readers of `updates`, and of `commands`.
  package static let (exportReader, controlReader, acquireReader, denoiseReader) = (0, 1, 1, 2)
  /// There is one command at most, and one event that tells of the denoised volume; of the scores the newest are kept
  /// at hand.
  private static let (commandSlots, scoreSlots) = (4, 256)

  /// How worker `partition`'s slices lie in memory.
  package func layout(ofWorker partition: Int) -> SliceLayout {
    SliceLayout(columns: shape.columns, rows: placement.workers[partition].rows.count)
  }

  /// The ring behind a topic, which begins after what the topic's journal holds already.
  package func ring(_ topic: Topic, after history: JournalWriter.State? = nil) -> RingSpecification {
    let (slotCount, payload, readers) =
      switch topic {
      case .projections: (slots.projections, shape.payloadCapacity, topic == images ? 1 + placement.workers.count : 1)
      case .corrected:
        (slots.projections, shape.rows * shape.columns * MemoryLayout<Float>.stride, 1 + placement.workers.count)
      case .chunks: (slots.chunks, 0, 1)
      case .updates: (slots.updates, 0, denoising == nil ? 2 : 3)
      case .commands: (Self.commandSlots, 0, 2)
      case .denoised: (Self.commandSlots, 0, 1)
      case .scores: (Self.scoreSlots, 0, 0)
      }
    let waits =
      switch topic {
      case .projections, .corrected: sourceWaits
      case .commands, .denoised, .scores: true
      case .chunks, .updates: false
      }
    let spills = scan.durability == .durable && !waits
    return RingSpecification(
      runID: runID, topic: topic.id, partition: UInt32(topic.partition), slotCount: slotCount, payloadCapacity: payload,
      requiredReaders: readers, whenFull: spills ? .spill : .wait,
      spillSlotCount: spills ? topic == .projections ? slots.onTheWay : Self.spillSlots(payload) : 0,
      firstSequence: history?.nextSequence ?? 0, firstChain: history?.chain ?? 0,
      firstEpoch: history?.epoch ?? 0)
  }

  /// Whether the source can be made to wait: a file can, a detector and what stands for one (a file with a rate)
  /// cannot. What it delivers faster than the workers take it then goes to disk, and they read it from there.
  package var sourceWaits: Bool { scan.rate == nil && live?.waits ?? true }

  /// Events on their way to disk beside a full ring whose writer may wait for the disk: some batches of the journal.
  private static func spillSlots(_ payload: Int) -> Int { min(max((64 << 20) / (payload + 4096), 4), 128) }

  /// How the events of a topic are marked.
  package func identity(of topic: Topic) -> RingIdentity {
    RingIdentity(runID: runID, topic: topic.id, partition: UInt32(topic.partition))
  }

  /// Every topic of the run.
  package var topics: [Topic] {
    let partitions = placement.workers.indices
    return [.projections] + (correction == nil ? [] : [.corrected]) + partitions.map { .chunks(partition: $0) }
      + partitions.map { .updates(partition: $0) }
      + [.commands, .scores] + (denoising == nil ? [] : [.denoised])
  }

  /// What is done to whole projections before they are distributed; nil for nothing.
  package var correction: CorrectStage.Configuration? {
    guard scan.zingers != nil || scan.paganin != nil else { return nil }
    let edge = Double(1 << scan.binning)
    return CorrectStage.Configuration(
      rows: shape.rows, columns: shape.columns, zingers: scan.zingers,
      phaseArea: scan.paganin.map { $0.area / (edge * edge) }, needs: needs
    )
  }

  /// Whether the scan has flat fields, and dark ones.
  private var needs: (flats: Bool, darks: Bool) { (shape.flats > 0, shape.flatsAndDarks > shape.flats) }

  /// The topic of the images that are distributed and reconstructed.
  package var images: Topic { correction == nil ? .projections : .corrected }

  /// What is done to the finished volume; nil for nothing.
  package var denoising: Denoise? { scan.denoise == .none ? nil : scan.denoise }

  /// Cores and threads of the stage that does it: those of all workers, which are done by then.
  package var denoisingPlace: (cores: [Int], threads: Int) {
    let cores = Set(placement.workers.flatMap(\.cores)).sorted()
    return (cores, min(cores.count, placement.workers.reduce(0) { $0 + $1.threads }))
  }

  /// The end of a message about a run that failed: what a person can do then.
  package var whatIsKept: String {
    scan.durability == .durable
      ? "what was acquired is kept: go on with slipring resume" : "events in memory are lost: start the run again"
  }

  /// Whether the final iterations read every projection again.
  package var keepsProjections: Bool { scan.finalIterationCount > 0 }

  /// Updates that a complete scan makes.
  package var updateCount: Int { updateCount(projections: shape.projections) }

  /// Updates that a scan of so many projections makes: windowed ones, then one for each final iteration.
  func updateCount(projections: Int) -> Int {
    WindowSchedule(length: scan.windowLength, step: scan.windowStep).updateCount(
      projections: projections, isComplete: true)
      + (projections > 0 ? scan.finalIterationCount : 0)
  }

  /// What `distribute` decides with.
  package var distribution: DistributeStage.Configuration {
    DistributeStage.Configuration(
      rows: placement.workers.map(\.rows), windowLength: scan.windowLength, windowStep: scan.windowStep,
      windowIterations: scan.windowIter,
      finalIterations: scan.finalIterationCount, finalSubsets: scan.finalSubsetCount,
      lagMax: scan.lagMax ?? (sourceWaits ? 0 : 2 * scan.windowLength))
  }

  /// What `control` decides with.
  package var control: ControlConfiguration {
    let endedFrom =
      scan.stopAfter ?? max(projectionsCovering, ControlConfiguration.projectionsSufficing(of: shape.projections))
    return ControlConfiguration(
      similarityMin: scan.stopSimilarity, patience: scan.stopPatience, scoredFrom: min(projectionsCovering, endedFrom),
      endedFrom: endedFrom, windowLength: scan.windowLength, risesMax: scan.stopRises)
  }

  /// What worker `partition` computes with.
  package func reconstruction(ofWorker partition: Int) -> ReconstructStage.Configuration {
    ReconstructStage.Configuration(
      layout: layout(ofWorker: partition), beam: ParallelBeam(columns: shape.columns, rotationAxis: rotationAxis),
      rows: placement.workers[partition].rows,
      methods: scan.methods, removesStripes: scan.stripeRemoval == .vo, minusLog: minusLog,
      windowLength: scan.windowStep > 0 ? min(scan.windowLength, shape.projections) : 0,
      keepsProjections: keepsProjections,
      projectionsMax: shape.projections,
      checkpointInterval: scan.durability == .durable ? scan.checkpointEvery.interval : .never,
      needs: needs, fieldsMayComeLate: live != nil)
  }
}
