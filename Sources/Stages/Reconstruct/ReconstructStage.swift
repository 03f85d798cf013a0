package import Host
package import KernelTypes
import Rings
package import RunModel
package import Tomography
package import Topics

/// Reconstructs one worker's rows: carries out its orders, one after the other, and nothing else.
package final class ReconstructStage {
  /// What is fixed for the whole run.
  package struct Configuration: Sendable {
    /// How the worker's slices lie in memory.
    package var layout: SliceLayout
    /// The detector behind them: one for all, or one for each block where the rotation axis is tilted.
    var beams: [ParallelBeam]
    /// The same about an axis that is found while the scan goes on, in columns of a projection; nil where it is known.
    var beamsAbout: (@Sendable (Double) -> [ParallelBeam])?
    /// The worker's rows in the payload of a projection.
    var rows: Range<Int>
    /// All rows of it.
    var detectorRows: Int
    /// How windows and final iterations are computed.
    package var methods: WorkerMethods
    /// Whether stripes are removed from the sinograms of the final iterations.
    var removesStripes: Bool
    /// Whether the data are counts that become line integrals by −log.
    var minusLog: Bool
    /// The updates while the scan runs.
    var windows: WindowSchedule
    /// Newest projections that are kept at hand for spread windows.
    var windowMemory: Int
    /// Whether the final iterations will read every projection again.
    var keepsProjections: Bool
    /// The most projections that the scan can have.
    var projectionsMax: Int
    /// How often the volume is saved.
    var checkpointInterval: CheckpointInterval
    /// Whether the scan has flat fields, and dark ones: projections are not corrected without what they were taken
    /// with.
    var needs: (flats: Bool, darks: Bool)
    /// Whether flat and dark fields may come among or behind the projections.
    var fieldsMayComeLate: Bool
    /// Whether flats before and behind the projections make each projection's own.
    var interpolatesFlats: Bool
    /// Whether the end of the images says what only all rows of the detector show.
    var isToldOfSample: Bool
    /// What updates are made of while the scan runs; nil where that is the projections as they are.
    var binning: LiveBinning?
    /// What they are made of where the workers are behind, on slices of half the columns and rows; nil where they never
    /// are.
    var coarse: LiveBinning?

    /// A configuration; the values were validated with the scan description.
    package init(
      layout: SliceLayout, beams: [ParallelBeam], beamsAbout: (@Sendable (Double) -> [ParallelBeam])? = nil,
      rows: Range<Int>, detectorRows: Int? = nil, methods: WorkerMethods,
      removesStripes: Bool = false,
      minusLog: Bool,
      windows: WindowSchedule, windowMemory: Int = 0,
      keepsProjections: Bool, projectionsMax: Int, checkpointInterval: CheckpointInterval,
      needs: (flats: Bool, darks: Bool) = (false, false), fieldsMayComeLate: Bool = false,
      interpolatesFlats: Bool = false, isToldOfSample: Bool = false, binning: LiveBinning? = nil,
      coarse: LiveBinning? = nil
    ) {
      self.layout = layout
      precondition(beams.count == 1 || beams.count == layout.blockCount, "\(beams.count) beams")
      self.beams = beams
      self.beamsAbout = beamsAbout
      self.rows = rows
      self.detectorRows = detectorRows ?? rows.upperBound
      self.methods = methods
      self.removesStripes = removesStripes
      self.minusLog = minusLog
      self.windows = windows
      self.windowMemory = windowMemory
      self.keepsProjections = keepsProjections
      self.projectionsMax = projectionsMax
      self.checkpointInterval = checkpointInterval
      self.needs = needs
      self.fieldsMayComeLate = fieldsMayComeLate
      self.interpolatesFlats = interpolatesFlats
      self.isToldOfSample = isToldOfSample
      self.binning = binning
      self.coarse = coarse
    }

    /// Newest projections that windows keep, and others that an update has room for; none where no update comes while
    /// the scan runs.
    var windowSlots: (kept: Int, others: Int) {
      let least = windows.slots(projections: projectionsMax)
      guard let spread = windows.spread, least > 0 else { return (least, 0) }
      let reach = max(least, min(spread.reach, projectionsMax))
      let kept = min(max(windowMemory, least), reach, windowLayout.slotsMax - spread.count)
      return (kept, kept < reach ? spread.count : 0)
    }

    /// How rows are cut where the final iterations penalise slices together with their neighbours.
    var slabs: RowSlabs? {
      guard case .subsets(let options, _) = methods.final, options.dimensions == 3 else { return nil }
      return RowSlabs(rows: detectorRows)
    }

    /// Angles that a window's solver goes through at once. What an update draws may be among the newest as well, and is
    /// then there twice.
    var windowAnglesMax: Int {
      windows.slots(projections: projectionsMax) + min(windows.spread?.count ?? 0, projectionsMax)
    }
  }

  let configuration: Configuration
  let projections: TopicReader
  let volume: VolumeRegion
  /// Where slices are kept for control; nil where none are compared.
  let slices: SliceHistory?
  /// Where the solver of the final iterations saves what it knows; nil where it does not.
  let solverStates: SolverStateRegion?
  private(set) var executor: PoolExecutor
  /// Threads that the worker has of its own, and that it may come to have.
  let ownThreads: Int
  let threadsMax: Int
  let corrections: BlockCorrections
  let orders: TopicReader
  let updates: TopicWriter
  let limits: WaitLimits
  private let widerPool: () -> ThreadPool?
  let didWork: () -> Void
  let checkpoint: VolumeCheckpoint?
  let checkpoints: CheckpointThread?
  let noticed: (String) -> Void
  let told: (String) -> Void
  let window: (buffer: WindowBuffer, smoothing: WindowSmoothing?)?
  /// What updates windows; nil where there are none, and before the axis is known.
  private(set) var windowSolver: (any WindowSolver)?
  /// What updates them where the workers are behind; nil where nothing else does.
  let coarse: CoarseUpdates?
  /// The detector, about the rotation axis that the last order about it names, and the same for windows.
  private(set) var beams: [ParallelBeam]
  private var windowBeams: [ParallelBeam]
  /// Whether what the newest generation holds was made about another axis, and the next update starts from nothing.
  var startsOver = false
  var applied = AppliedProjections()
  /// The flats and darks, each by its sequence in the topic of the images.
  private(set) var fieldImages: [(role: ImageRole, sequence: UInt64, isBehind: Bool)] = []
  /// Projections that came twice and were dropped.
  var duplicates = 0
  var budget = SealBudget(share: SealBudget.volumeShare)
  /// When the newest projection in the window was acquired; 0 while that is not known.
  var newestAcquiredAt: UInt64 = 0
  /// What a predecessor has reported; a first worker finds nothing.
  var reports = Reports.none

  /// The stage owns its readers and its writer; `pool` must have no other user. `widerPool` is asked between updates
  /// for one to go on with, of `threadsMax` threads at most. `noticed` hears of what was damaged, `told` of what was
  /// decided; `didWork` of every order that was applied and of every update, but for those that a predecessor had
  /// applied and reported; `didSave` of every volume that was saved, and why one was not.
  package init(
    configuration: Configuration, orders: TopicReader, projections: TopicReader, updates: TopicWriter,
    volume: VolumeRegion, slices: SliceHistory? = nil, solverStates: SolverStateRegion? = nil,
    checkpoint: VolumeCheckpoint?,
    pool: ThreadPool, threadsMax: Int? = nil, limits: WaitLimits,
    widerPool: @escaping () -> ThreadPool? = { nil }, noticed: @escaping (String) -> Void = { _ in },
    told: @escaping (String) -> Void = { _ in },
    didWork: @escaping () -> Void, didSave: @escaping (FileError?) -> Void = { _ in }
  ) {
    let layout = configuration.layout
    self.configuration = configuration
    self.orders = orders
    self.projections = projections
    self.updates = updates
    self.volume = volume
    self.slices = slices
    self.solverStates = solverStates
    self.limits = limits
    self.didWork = didWork
    (self.noticed, self.told) = (noticed, told)
    self.checkpoint = checkpoint
    checkpoints = checkpoint.map {
      CheckpointThread($0, volume: volume, interval: configuration.checkpointInterval, didSave: didSave)
    }
    executor = PoolExecutor(pool: pool)
    ownThreads = pool.threadCount
    self.threadsMax = max(threadsMax ?? 1, pool.threadCount)
    self.widerPool = widerPool
    corrections = BlockCorrections(
      layout: layout, minusLog: configuration.minusLog, nonNegative: !configuration.methods.window.startsFromZero,
      interpolatesFlats: configuration.interpolatesFlats, binned: configuration.binning?.layout,
      coarse: configuration.coarse?.layout)
    let slots = configuration.windowSlots, windowLayout = configuration.windowLayout
    window =
      slots.kept > 0
      ? (
        WindowBuffer(
          layout: windowLayout, coarse: configuration.coarse?.layout.layout, kept: slots.kept, others: slots.others),
        configuration.windows.spread == nil
          ? nil : configuration.methods.window.smoothing(layout: windowLayout, threads: self.threadsMax)
      ) : nil
    let threads = self.threadsMax
    coarse = slots.kept > 0 ? configuration.coarse.map { CoarseUpdates($0, configuration, threads: threads) } : nil
    (beams, windowBeams) = (configuration.beams, configuration.windowBeams)
    applied.reserveCapacity(configuration.projectionsMax)
    if configuration.beamsAbout == nil { makeWindowSolver() }
  }

  /// Runs until the orders end; then closes `updates`. A successor of a worker that died goes on with the newest
  /// generation of the volume and the order after it. Returns why the finished volume could not be saved, if it
  /// could not: that is no reason to do without it.
  package func run() throws -> FileError? {
    try findReports()
    try beginWithWhatIsWhole()
    if isFinished { try passOrders() } else { try work() }
    // Beside the export, which does not wait for it.
    return try checkpoints?.finish()
  }

  /// Makes what updates windows, about the axis as it is known. One at a time has memory.
  private func makeWindowSolver() {
    guard window != nil else { return }
    windowSolver = nil
    coarse?.makeSolver()
    windowSolver = configuration.methods.window.solver(
      layout: configuration.windowLayout, beams: windowBeams, anglesMax: configuration.windowAnglesMax,
      threads: threadsMax)
  }

  /// Takes the axis for what comes from here on.
  func turn(about axis: FoundAxis) throws {
    guard let beams = configuration.beamsAbout?(axis.axis),
      let windowBeams = configuration.windowBeams(about: axis.axis)
    else {
      throw StageError.disorder("an order about the rotation axis, which was known before the scan")
    }
    guard windowSolver == nil || beams != self.beams else { return }
    (self.beams, self.windowBeams) = (beams, windowBeams)
    coarse?.turn(about: axis.axis)
    makeWindowSolver()
  }

  private func work() throws {
    if let update = try volume.newestUpdate() { corrections.resumeCounting(from: update.pixels) }
    // Computed by a predecessor, reported or not: no work of this process.
    if let update = try volume.newestUpdate(), update.phase == .window {
      keepSlice(after: update)
      _ = try report(update)
    }
    // What a predecessor had given back it had applied.
    let firstNew = orders.cursor
    try takeOver(before: volume.newest.cursor)
    while true {
      let event = try limits.next(orders, of: "orders")
      let cursor = event.header.sequence + 1
      switch event.header.kind {
      case .order:
        try apply(
          WorkerOrder(decoding: event.metadata, rows: configuration.rows),
          pace: DistributionProgress(decoding: event.metadata), cursor: cursor)
        if event.header.sequence >= firstNew { didWork() }
      case .end:
        try finish(EndEvent(decoding: event.metadata))
        return try orders.release(upTo: cursor)
      default: throw StageError.disorder("\(event.header.kind) in orders at \(event.header.sequence)")
      }
      FaultPoint.unreleased.reach()
      try orders.release(upTo: cursor)
    }
  }

  private func apply(_ order: WorkerOrder, pace: DistributionProgress, cursor: UInt64) throws {
    switch order {
    case .rows(let role, let sequence, let ordinal, let theta):
      try take(role, AppliedProjections.Projection(sequence: sequence, theta: theta), ordinal: ordinal)
    case .update(let index, let projections, let every, let spread, let iterations):
      let used = projections.filter { $0 % every == 0 }
      try update(
        index: index, over: projections, used, spread: spread, iterations: iterations, pace: pace, cursor: cursor)
    case .final(let iterations, let subsets, let count):
      guard configuration.keepsProjections, count == applied.count else {
        throw StageError.disorder("a final sweep over \(count) projections, \(applied.count) were kept")
      }
      try runFinalIterations(iterations: iterations, subsets: subsets, cursor: cursor)
    case .axis(let found, let projections, let startsOver):
      guard projections == applied.count else {
        throw StageError.disorder("the axis of \(projections) projections after \(applied.count)")
      }
      try turn(about: found)
      if startsOver { self.startsOver = true }
    }
  }

  /// Takes the worker's rows of one image. A projection that no window needs is not looked at before the final
  /// iterations.
  private func take(_ role: ImageRole, _ image: AppliedProjections.Projection, ordinal: Int) throws {
    if try remember(role, image, ordinal: ordinal, isBehind: applied.count > 0), role == .projection, window != nil {
      try store(image.sequence, ordinal: ordinal)
    }
    try projections.release(upTo: image.sequence + 1)
  }

  /// Adds a flat or dark to its mean, and a projection to the list of those that were applied; false for a projection
  /// that came before, which is dropped and counted.
  /// `isBehind` says whether a projection came before a field.
  func remember(
    _ role: ImageRole, _ image: AppliedProjections.Projection, ordinal: Int, isBehind: Bool
  ) throws -> Bool {
    guard role == .projection else {
      let event = try projections.event(at: image.sequence, rows: configuration.rows)
      corrections.add(
        role, try RowPixels(event, rows: configuration.rows, columns: configuration.layout.measured.count),
        isBehind: isBehind)
      fieldImages.append((role, image.sequence, isBehind))
      window?.buffer.forget()
      return true
    }
    if ordinal < applied.count {
      duplicates += 1
      return false
    }
    guard ordinal == applied.count, ordinal < configuration.projectionsMax else {
      throw StageError.disorder(
        "projection \(ordinal) came after \(applied.count) projections of at most \(configuration.projectionsMax)")
    }
    if ordinal == 0, !configuration.fieldsMayComeLate { try checkFields() }
    applied.append(image)
    return true
  }

  /// Goes on with the cores that it has now, and those of workers that have nothing to do any more. The bits do not
  /// depend on it.
  func takeIdleCores() {
    guard let pool = widerPool() else { return }
    precondition(pool.threadCount <= threadsMax, "\(pool.threadCount) threads of at most \(threadsMax)")
    executor = PoolExecutor(pool: pool)
  }

  /// Publishes an update, unless a predecessor did: false then. A residual that is no longer finite stops the run,
  /// because no later update can mend the volume.
  func report(_ update: UpdateEvent) throws -> Bool {
    let isNew = !reports.contain(update)
    if isNew { try updates.append(kind: .update, timeout: limits.room, update.encodeReport) }
    guard update.residualSquared.isFinite else {
      throw StageError.diverged(
        "the residual of \(update.phase) update \(update.index) is not finite; "
          + (update.phase == .final ? configuration.methods.finalRemedy : configuration.methods.remedy))
    }
    return isNew
  }

  private func finish(_ end: EndEvent) throws {
    sealNewest()
    if case .ended = reports { return }
    guard applied.count > 0 || end.acquired == 0 else {
      throw StageError.lost("no projection of the scan is left; reconstruct the scan anew")
    }
    if applied.count > 0 { try checkFields() }
    let fields = corrections.fieldCounts
    let own = EndEvent(
      reason: end.reason, projections: applied.count, acquired: end.acquired, duplicates: duplicates,
      generation: volume.newest.number,
      fields: fields.flats + fields.darks)
    try updates.append(kind: .end, timeout: limits.room, own.encode)
    try updates.flush()
  }
}
