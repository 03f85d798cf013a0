import Host
package import Journal
package import KernelTypes
package import Rings
package import RunModel
package import Stages
package import Tomography

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
    package internal(set) var flats: Int
    /// Rows of a projection's payload.
    package var rows: Int
    /// Columns of it; those of a slice are `RunPlan.geometry`'s.
    package var columns: Int
    /// Detector rows that are read from the file.
    var detectorRows: Range<Int>
    /// The number of the first reconstructed slice in file names.
    package var firstSlice: Int
    /// Bytes of the largest payload.
    var payloadCapacity: Int
  }

  /// The version of the plans that this build writes, and the only one that it reads. It rises whenever a plan, or the
  /// topics and folders of a run, get another meaning.
  package static let versionRead = 5

  /// The version of this plan.
  private(set) var version = Self.versionRead
  /// Identifies the run; names its regions.
  package var runID: RunID
  /// The command line.
  package var command: [String]
  /// What was asked for, with defaults filled in.
  package var scan: ScanDescription
  /// What a live source was said to deliver; nil for a scan file.
  package var live: LivePlan?
  /// The scan file as it was; nil for a live source.
  var input: InputIdentity?
  /// The file of a live source's flat and dark fields as it was; nil where there is none.
  var fieldsFile: InputIdentity?
  /// The shapes.
  package var shape: Shape
  /// The rotation axis in columns of the payload; the detector's middle where it is found while the scan goes on.
  var rotationAxis: Double
  /// Its standard error in pixels of the detector, where it was found, or is to be; nil of one that was given.
  package var rotationAxisError: Double?
  /// Its tilt; nil for none.
  var tilt: ScanTilt?
  /// Whether the data are counts.
  package internal(set) var minusLog: Bool
  /// Size of a voxel, where the file knows it.
  package var pixelSizeMillimetres: Double?
  /// Who computes what.
  package var placement: Placement
  /// Slots of the rings.
  var slots: RingSlots
  /// Projections that see the object from all directions, in the order in which they come; before that no similarity
  /// counts.
  var projectionsCovering: Int
  /// Projections of a half turn, in different directions.
  var projectionsPerHalfTurn: Int
  /// Stages beside those that make the volume, by name (`WiringFacts.examples`).
  var examples: [String] = []
  /// Whether the run's figures are watched; nil of a plan of an earlier build, in which they were not.
  var isWatched: Bool?
  /// Projections a second that updates were reckoned to keep up with when the plan was made for a rate
  /// (`UpdateBinning.auto`); nil of another.
  var sustained: Double?
  /// What was assumed of the input, and what of it is missing, in sentences; nil of a plan of an earlier build.
  package var inputNotices: [String]?
  /// All that a person was told of it when it was made: these, and what was found and decided; nil of a plan of an
  /// earlier build.
  package var notices: [String]?
  /// Which disks the run's folder and its copies were on; nil without copies, and of a plan of an earlier build.
  package internal(set) var disks: RunDisks?
  /// When it was made, in ISO 8601; nil of a plan of an earlier build.
  var created: String?
  /// The rows of an edge's run that this one reconstructs; nil where it reads the scan itself.
  package internal(set) var fabric: FabricPart?

  /// How worker `partition`'s slices lie in memory.
  package func layout(ofWorker partition: Int) -> SliceLayout {
    geometry.layout(rows: placement.workers[partition].rows.count)
  }

  /// How the detector lies beside the slices.
  package var geometry: ScanGeometry { geometry(about: rotationAxis) }

  /// The same about another axis, in columns of the payload.
  func geometry(about axis: Double) -> ScanGeometry {
    ScanGeometry(detectorColumns: shape.columns, rotationAxis: axis, isHalf: scan.fieldOfView == .half, tilt: tilt)
  }

  /// The stages and topics of the run, and what is connected to what.
  package var wiring: RunWiring {
    RunWiring(
      WiringFacts(
        workers: placement.workers.count, corrects: correction != nil, denoises: denoising != nil,
        hasNodes: scan.fabric != nil, isWatched: isWatched == true,
        views: viewByteCounts, examples: examples,
        isDurable: scan.durability == .durable,
        sourceWaits: sourceWaits,
        imageByteCount: (shape.payloadCapacity, shape.rows * shape.columns * PixelType.float32.byteCount), slots: slots)
    )
  }

  /// The ring behind a topic, which begins after what the topic's journal holds already.
  package func ring(_ topic: Topic, after history: JournalWriter.State? = nil) -> RingSpecification {
    wiring.ring(
      topic, runID: runID, first: (history?.nextSequence ?? 0, history?.chain ?? 0, history?.epoch ?? 0))
  }

  /// Whether the source can be made to wait: a file can, a detector and what stands for one (a file with a rate)
  /// cannot. What it delivers faster than the workers take it then goes to disk, and they read it from there.
  package var sourceWaits: Bool { scan.rate == nil && live?.waits ?? true }

  /// How the events of a topic are marked.
  package func identity(of topic: Topic) -> RingIdentity {
    RingIdentity(runID: runID, topic: topic.id, partition: UInt32(topic.partition))
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

  /// The rotation axis in pixels of the detector, as a person gives it.
  package var detectorAxis: Double { rotationAxis * Double(1 << scan.binning) }

  /// The topic of the images that are distributed and reconstructed.
  package var images: Topic { correction == nil ? .projections : .corrected }

  /// What is done to the finished volume; nil for nothing.
  package var denoising: Denoise? { scan.denoise == .none ? nil : scan.denoise }

  /// Cores and threads of a stage's process.
  package func place(of stage: StageName, _ row: WiringRow) -> (cores: [Int], threads: Int) {
    switch row.place {
    case .service: (placement.serviceCores, placement.serviceCores.count)
    case .worker:
      (placement.workers[stage.partition ?? 0].cores, placement.workers[stage.partition ?? 0].threads)
    case .allWorkers: workersPlace
    }
  }

  /// Cores of all workers, and threads for one process on them: for a stage that works when the workers are done, and
  /// for a worker that cannot live on its own.
  package var workersPlace: (cores: [Int], threads: Int) {
    let cores = Set(placement.workers.flatMap(\.cores)).sorted()
    return (cores, min(cores.count, placement.workers.reduce(0) { $0 + $1.threads }))
  }

  /// The most threads that the process of a stage has at any time, wherever its band is moved.
  package func threadsMax(of stage: StageName, _ row: WiringRow) -> Int {
    max(place(of: stage, row).threads, workersPlace.threads, placement.threadsMax ?? 1)
  }

  /// The end of a message about a run that failed: what a person can do then.
  package var whatIsKept: String {
    scan.durability == .durable
      ? "what was acquired is kept: go on with slipring resume" : "events in memory are lost: start the run again"
  }

  /// Whether the final iterations read every projection again.
  var keepsProjections: Bool { scan.hasFinalIterations }

  /// How often all projections are iterated over after the scan.
  var finalSchedule: FinalSchedule { scan.finalSchedule(columns: geometry.columns) }

  /// The same in numbers, where so many came; all of the scan's unless said otherwise.
  package func finalIterationCount(projections: Int? = nil) -> Int {
    finalSchedule.iterations(projections: projections ?? shape.projections)
  }

  /// The updates while the scan runs.
  package var windows: WindowSchedule { scan.windows(projectionsPerHalfTurn: projectionsPerHalfTurn) }

  /// Newest projections that the workers keep for spread windows: by default as many as fill the memory of a volume.
  private var windowMemory: Int {
    scan.windowMemory?.projections(ofByteCount: windowPixels * MemoryLayout<Float>.stride)
      ?? geometry.columns
  }

  /// Updates that a complete scan makes.
  package var updateCount: Int { updateCount(projections: shape.projections) }

  /// Updates that a scan of so many projections makes: windowed ones, then one for each final iteration.
  func updateCount(projections: Int) -> Int {
    windows.updateCount(projections: projections, isComplete: true)
      + finalIterationCount(projections: projections)
  }

  /// What `distribute` decides with.
  package var distribution: DistributeStage.Configuration {
    var distribution = DistributeStage.Configuration(
      rows: placement.workers.map(\.rows), windows: windows, final: finalSchedule,
      lagMax: scan.lagMax ?? (sourceWaits ? 0 : 2 * windows.span), axis: axisSchedule, obeysTriggers: obeysTriggers,
      isTold: fabric != nil)
    (distribution.ladder, distribution.latencyMax) = (scan.ladder, scan.latencyMax)
    return distribution
  }

  /// What `control` decides with.
  package var control: ControlConfiguration {
    let endedFrom =
      scan.stopAfter ?? max(projectionsCovering, ControlConfiguration.projectionsSufficing(of: shape.projections))
    var control = ControlConfiguration(
      similarityMin: scan.stopSimilarity, patience: scan.stopPatience, scoredFrom: min(projectionsCovering, endedFrom),
      endedFrom: endedFrom, windows: windows, risesMax: scan.stopRises, scale: scan.stopScale,
      distance: scan.stopDistance)
    (control.decides, control.hearsNodes) = (fabric == nil, scan.fabric != nil && scan.stopSimilarity != nil)
    return control
  }

  /// The slices that each worker keeps for control; nil where none are compared.
  package var sliceHistory: SliceHistory.Shape? {
    scan.comparesSlices ? control.looks.history(columns: windowGeometry.columns) : nil
  }

  /// Bytes of what worker `partition`'s solver saves of its final iterations; nil where it saves nothing.
  package func solverStateByteCount(ofWorker partition: Int) -> Int? {
    ReconstructStage.solverStateByteCount(reconstruction(ofWorker: partition))
  }

  /// Bytes of the region where it does.
  func solverStateRegionByteCount(ofWorker partition: Int) -> Int {
    solverStateByteCount(ofWorker: partition).map { SolverStateRegion.byteCount(stateByteCount: $0) } ?? 0
  }

  /// What worker `partition` computes with.
  package func reconstruction(ofWorker partition: Int) -> ReconstructStage.Configuration {
    let rows = placement.workers[partition].rows
    return ReconstructStage.Configuration(
      layout: layout(ofWorker: partition), beams: geometry.beams(rows: rows),
      beamsAbout: beamsAbout(rows), rows: rows, detectorRows: shape.rows,
      methods: scan.methods, removesStripes: scan.stripeRemoval == .vo, minusLog: minusLog, windows: windows,
      windowMemory: windowMemory,
      keepsProjections: keepsProjections,
      projectionsMax: shape.projections,
      checkpointInterval: scan.durability == .durable ? scan.checkpointEvery.interval : .never,
      needs: needs, fieldsMayComeLate: fieldsMayComeLate, interpolatesFlats: scan.flatFields == .interpolate,
      isToldOfSample: fabric != nil, binning: liveBinning(ofWorker: partition),
      coarse: coarseBinning(ofWorker: partition))
  }
}
