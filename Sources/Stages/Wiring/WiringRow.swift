package import RunModel
package import Topics

/// One kind of stage, and everything that a run knows of it before it starts.
package struct WiringRow: Sendable {
  /// As in messages and on the command line.
  let name: String
  /// Whether there is one for each worker, or one for the run.
  let isPerWorker: Bool
  /// The stage's code.
  package let stage: any Stage.Type
  /// Where its process runs.
  package let place: Place
  /// What it reads; the first of these is what its lag is counted in, unless it has none.
  let reads: [Input]
  /// What it writes; nobody else does.
  package let writes: [Output]
  /// Where it writes files, whose temporary names are removed when it died.
  package let files: [Files]
  /// Whether the run does without it: nobody waits for it, and it ends when all others have.
  package let isOptional: Bool
  /// Whether a run has it.
  let isPresent: @Sendable (WiringFacts) -> Bool

  /// Where a stage's process runs.
  package enum Place: Sendable {
    /// On the cores that are kept for everything but reconstruction.
    case service
    /// On the cores of its worker.
    case worker
    /// On the cores of all workers, which have nothing to do when it has.
    case allWorkers
  }

  /// Folders that a stage writes files to.
  package enum Files: Sendable {
    /// The run's own folder.
    case run
    /// The saved volumes in it.
    case checkpoints
    /// The output's folder.
    case output
  }

  /// A topic that a stage reads. A stage of one worker reads its own partition, any other reads all of them.
  package struct Input: Sendable {
    /// The topics.
    let kind: @Sendable (WiringFacts) -> TopicKind
    /// Whether every life of the stage reads from the first event, or from where its predecessor was.
    package let replays: Bool
    /// What is checked before an event is handed out.
    package let checks: TopicReader.Checks
    /// Whether it is what the stage works on; orders that are only listened for are not.
    let isWork: Bool

    /// Topics of `kind`.
    package static func topic(
      _ kind: TopicKind, replays: Bool = true, checks: TopicReader.Checks = .header, isWork: Bool = true
    ) -> Input {
      Input(kind: { _ in kind }, replays: replays, checks: checks, isWork: isWork)
    }

    /// The images that are distributed and reconstructed: as acquired, or as corrected.
    package static func images(replays: Bool = true, checks: TopicReader.Checks = .header, isWork: Bool = true) -> Input
    {
      Input(kind: { $0.corrects ? .corrected : .projections }, replays: replays, checks: checks, isWork: isWork)
    }
  }

  /// A topic that a stage writes. A stage of one worker writes its own partition, any other writes all of them.
  package struct Output: Sendable {
    /// The topics.
    package let kind: TopicKind
    /// Events that the ring of a partition holds.
    let slots: @Sendable (WiringFacts, Int) -> Int
    /// Bytes of the largest payload there.
    let payload: @Sendable (WiringFacts, Int) -> Int
    /// What the writer does where a ring is full.
    let whenFull: WhenFull

    /// What a writer does where a ring is full and its events go to disk; in memory it waits.
    package enum WhenFull: Sendable {
      /// It waits for the readers.
      case waits
      /// It goes on, and the readers find the events on disk.
      case spills
      /// It goes on where the source cannot wait, with so many slots for events on their way to disk.
      case spillsForSource(onTheWay: @Sendable (WiringFacts) -> Int?)
    }

    /// A topic without payload, by default for a few events that nobody is in a hurry for.
    package init(
      _ kind: TopicKind, slots: @escaping @Sendable (WiringFacts) -> Int = { _ in 4 },
      payload: @escaping @Sendable (WiringFacts) -> Int = { _ in 0 }, whenFull: WhenFull = .waits
    ) {
      (self.kind, self.whenFull) = (kind, whenFull)
      (self.slots, self.payload) = ({ facts, _ in slots(facts) }, { facts, _ in payload(facts) })
    }

    /// Topics of `kind` whose rings differ, and whose writer waits where one is full.
    init(
      _ kind: TopicKind, slotsOf slots: @escaping @Sendable (WiringFacts, Int) -> Int,
      payloadOf payload: @escaping @Sendable (WiringFacts, Int) -> Int
    ) {
      (self.kind, self.slots, self.payload, whenFull) = (kind, slots, payload, .waits)
    }
  }

  /// A row as given; by default of a stage on the service cores that writes no files and that every run has.
  init(
    _ name: String, _ stage: any Stage.Type, isPerWorker: Bool = false, place: Place = .service, reads: [Input],
    writes: [Output] = [], files: [Files] = [], isOptional: Bool = false,
    isPresent: @escaping @Sendable (WiringFacts) -> Bool = { _ in true }
  ) {
    self.name = name
    self.stage = stage
    self.isPerWorker = isPerWorker
    self.place = place
    self.reads = reads
    self.writes = writes
    self.files = files
    self.isOptional = isOptional
    self.isPresent = isPresent
  }
}

/// What the wiring of a run depends on.
package struct WiringFacts: Sendable {
  /// Workers.
  var workers: Int
  /// Whether whole projections are filtered first.
  package var corrects: Bool
  /// Whether the finished volume is denoised.
  package var denoises: Bool
  /// Whether images go to nodes as well.
  package var hasNodes: Bool
  /// Whether the run's figures are watched.
  package var isWatched: Bool
  /// Of each view bytes of the voxels that an item of it has, 0 for none.
  package var views: [Int]
  /// Stages beside those that make the volume, by name.
  package var examples: [String]
  /// Whether events go to disk.
  var isDurable: Bool
  /// Whether the source can be made to wait.
  var sourceWaits: Bool
  /// Bytes of the largest image as acquired, and as corrected.
  package var imageByteCount: (acquired: Int, corrected: Int)
  /// Slots of the rings.
  package var slots: RingSlots

  /// Facts as given.
  package init(
    workers: Int, corrects: Bool, denoises: Bool, hasNodes: Bool = false, isWatched: Bool = false,
    views: [Int] = [], examples: [String], isDurable: Bool,
    sourceWaits: Bool, imageByteCount: (acquired: Int, corrected: Int), slots: RingSlots
  ) {
    precondition(workers > 0, "\(workers) workers")
    self.workers = workers
    self.corrects = corrects
    self.denoises = denoises
    self.hasNodes = hasNodes
    self.isWatched = isWatched
    self.views = views
    self.examples = examples
    self.isDurable = isDurable
    self.sourceWaits = sourceWaits
    self.imageByteCount = imageByteCount
    self.slots = slots
  }
}

/// Slots of the rings whose size depends on the scan.
package struct RingSlots: Codable, Equatable, Sendable {
  /// Of the images.
  package var projections: Int
  /// Of the images as acquired beside the ring, on their way to disk; 0 where the source waits, or nothing goes to
  /// disk.
  package var onTheWay = 0
  /// Of each worker's orders.
  package var orders: Int
  /// Of each worker's updates.
  package var updates: Int

  /// Slots as given, none for images on their way to disk.
  package init(projections: Int, orders: Int, updates: Int) {
    (self.projections, self.orders, self.updates) = (projections, orders, updates)
  }
}
