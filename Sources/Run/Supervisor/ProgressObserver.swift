import Detectors
import Rings
import RunModel
import ScanPlan
import Stages
import Tomography

/// Looks at a run's rings from outside: it never holds a writer and may miss events, but not the newest one.
struct ProgressObserver {
  private let plan: RunPlan
  private let wiring: RunWiring
  private let rings: [Topic: Ring]
  private let projections: NewestEvent
  private let orders: NewestEvent
  private let updates: [NewestEvent]
  private let commands: NewestEvent
  private let scores: NewestEvent
  /// The newest scores, and the number of the next event of `scores`.
  private var (similarity, nextScore) = (RunSimilarity(), UInt64(0))
  private var latest: [UpdateEvent?]
  private var ends: [EndEvent?]
  private var losses: Losses?
  private var pace: PaceRecord
  /// Of each worker, the next of its reports that is counted in it.
  private var nextReport: [UInt64]
  private let folder: RunFolder
  private var isTold = false
  private var axis: FoundAxis?
  private var isAxisFinal = false
  private var acquired = 0

  init(plan: RunPlan, folder: RunFolder, rings: [Topic: Ring]) {
    self.plan = plan
    wiring = plan.wiring
    let partitions = plan.placement.workers.indices
    func newest(_ topic: Topic) -> NewestEvent {
      guard let ring = rings[topic] else { preconditionFailure("the run has no ring for \(topic.name)") }
      return NewestEvent(
        ring: ring, journal: plan.scan.durability == .durable ? folder.journal(topic) : nil,
        mirror: folder.mirror(topic, plan))
    }
    (self.rings, self.folder) = (rings, folder)
    projections = newest(.projections)
    orders = newest(.orders(partition: 0))
    updates = partitions.map { newest(.updates(partition: $0)) }
    commands = newest(.commands)
    scores = newest(.scores)
    pace = PaceRecord(levels: plan.scan.ladder.levels, workers: partitions.count)
    nextReport = partitions.map { _ in 0 }
    latest = partitions.map { _ in nil }
    ends = partitions.map { _ in nil }
  }

  /// Fills in what the rings tell; what nodes say is there already.
  mutating func update(_ status: inout RunStatus) throws {
    // While the disk is full, newer images may be in the slots of the newest one that is published.
    status.acquired = acquired
    if let (header, metadata) = try projections.latest() {
      switch header.kind {
      case .projection: status.acquired = Int(clamping: header.projection) + 1
      case .end:
        let end = try metadata.withUnsafeBytes { try EndEvent(decoding: $0) }
        status.acquired = end.projections
        if end.reason == .finalized { status.finalized = try finalized() }
        // Only the report knows what came behind the last image that was taken.
        if !isTold { losses = try folder.readLosses()?.counts ?? losses }
        isTold = true
      default: break
      }
      // What was filtered at the edge carries how far the filter is, and no ledger.
      if header.kind != .end, !metadata.isEmpty, plan.fabric?.isCorrected != true {
        let known = try metadata.withUnsafeBytes { try LossLedger(decoding: $0) }.losses
        // A file loses nothing.
        losses = plan.live != nil || known.empty != nil ? known : nil
      }
    }
    (acquired, status.losses) = (status.acquired, losses)
    status.step = try step()
    try fillAxis(&status)
    if let images = rings[.projections]?.progress {
      status.buffered = images.committed - min(images.published, images.committed)
    }
    status.spilled = [.projections, .corrected].reduce(0) { $0 + (rings[$1]?.progress.spilled ?? 0) }
    for worker in updates.indices {
      try look(at: worker)
      try count(worker)
    }
    status.pace = pace.report
    status.level = try level()
    for index in status.stages.indices { fill(&status.stages[index]) }
    // How far a run is does not depend on workers that nobody waits for.
    let awaited = status.stages.filter(\.isAwaited).compactMap { StageName(parsing: $0.name)?.partition }
    status.reconstructed = min(status.acquired, awaited.map(taken).min() ?? 0)
    status.updates = awaited.map(updateCount).min() ?? 0
    status.sweptFraction = awaited.map(sweptFraction).min() ?? 0
    let squares = latest.compactMap { $0 }
    let clamped = squares.reduce(0) { $0 + $1.pixels.clamped }
    status.clampedPixels = clamped > 0 ? clamped : nil
    let data = squares.reduce(0) { $0 + $1.dataSquared }
    let residual = (squares.reduce(0) { $0 + $1.residualSquared } / data).squareRoot()
    // A worker whose residual is no number ends the run, and has said why.
    if residual.isFinite { status.residual = residual }
    status.phase = phase(awaited)
    try fillScores(&status, awaited)
    if let (header, metadata) = try commands.latest(), header.kind == .command {
      let late = try metadata.withUnsafeBytes { try CommandEvent(decoding: $0) }.late
      status.decidedLate = late.map { Double($0) / 1000 }
    }
  }

  /// Of each partition its newest update while the scan runs; nil before the first, and behind the last.
  var windowUpdates: [(index: Int, seconds: Double)?] {
    latest.map { update in
      guard let update, update.phase == .window else { return nil }
      return (update.index, Double(update.duration) / 1e9)
    }
  }

  /// Seconds that a projection of a newest update waited for it at most, of those while the scan runs; nil for none.
  var latency: Double? {
    latest.compactMap { update in
      guard let update, update.phase == .window, let timing = update.timing else { return nil }
      return Double(timing.published - min(timing.published, timing.acquired.lowerBound)) / 1e9
    }.max()
  }

  /// Whether a partition has come to its final iterations, or to its end.
  func isFinal(_ partition: Int) -> Bool { ends[partition] != nil || latest[partition]?.phase == .final }

  private static let scoresKept: UInt64 = 256

  /// Fills in what control, and nodes, saw last.
  private mutating func fillScores(_ status: inout RunStatus, _ awaited: [Int]) throws {
    guard let (header, _) = try scores.latest(), header.kind == .score else { return }
    let first = max(nextScore, header.sequence - min(header.sequence, Self.scoresKept - 1))
    for sequence in first..<max(first, header.sequence + 1) {
      guard let (header, metadata) = try scores.event(at: sequence), header.kind == .score else { continue }
      similarity.add(try metadata.withUnsafeBytes { try ScoreEvent(decoding: $0) })
    }
    nextScore = header.sequence + 1
    status.similarity = similarity.lowest(amongst: awaited, status.uplink)
    status.scores = plan.placement.workers.enumerated().compactMap { worker, place in
      similarity.score(of: worker).map { WorkerScore($0.value, rows: place.rows) }
    }
  }

  /// The stage that images wait for.
  var slowestReader: StageName? {
    Self.slowest(
      [Topic.projections, .corrected].flatMap { topic in
        Array(zip(wiring.readers(of: topic), rings[topic]?.progress.cursors ?? []))
      })
  }

  /// Of readers of images and their cursors, nil for one that has finished, the one that has given back the fewest: its
  /// lease is what keeps the ring full. Of several the last, for which those before it may be waiting.
  static func slowest(_ readers: [(stage: StageName, cursor: UInt64?)]) -> StageName? {
    let going = readers.compactMap { reader in reader.cursor.map { (stage: reader.stage, cursor: $0) } }
    return going.reversed().min { $0.cursor < $1.cursor }?.stage
  }

  /// Who or what ended the scan, which a command of this or an earlier supervision says.
  private func finalized() throws -> String {
    guard let (_, metadata) = try commands.latest() else { return EndEvent.Reason.finalized.word }
    return try metadata.withUnsafeBytes { try CommandEvent(decoding: $0) }.reason
  }

  /// Projections that a worker has taken: its cursor, less the flats and darks before them.
  private func taken(_ worker: Int) -> Int {
    let cursor = wiring.readerNumber(of: .reconstruct(worker), in: plan.images).flatMap {
      rings[plan.images]?.progress.cursors[$0]
    }
    return max(0, Int(cursor ?? 0) - plan.shape.flatsAndDarks)
  }

  /// Projections between two updates, as distribute decided last.
  private func step() throws -> Int {
    guard let (header, metadata) = try orders.latest(), header.kind == .order else { return plan.windows.step }
    let progress = try metadata.withUnsafeBytes { try DistributionProgress(decoding: $0) }
    if progress.isPaused, progress.end == nil { return 0 }
    return max(plan.windows.step * (progress.end == nil ? progress.updateInterval : 1), progress.decimation)
  }

  /// The steps of the ladder that are in effect, as distribute decided last; nil while no order says so.
  private func level() throws -> Int? {
    guard let (header, metadata) = try orders.latest(), header.kind == .order else { return nil }
    return try metadata.withUnsafeBytes { try DistributionProgress(decoding: $0) }.level
  }

  private static let reportsKept: UInt64 = 256

  /// Counts what a worker has reported since the look before; of very much only the newest.
  private mutating func count(_ worker: Int) throws {
    guard let (header, _) = try updates[worker].latest() else { return }
    let first = max(nextReport[worker], header.sequence - min(header.sequence, Self.reportsKept - 1))
    for sequence in first..<max(first, header.sequence + 1) {
      guard let (header, metadata) = try updates[worker].event(at: sequence), header.kind == .update else { continue }
      pace.add(try metadata.withUnsafeBytes { try UpdateEvent(decoding: $0) }, worker: worker)
    }
    nextReport[worker] = header.sequence + 1
  }

  /// Fills in the rotation axis, as distribute decided last.
  private mutating func fillAxis(_ status: inout RunStatus) throws {
    if !plan.findsAxis {
      axis = FoundAxis(plan.detectorAxis, error: plan.rotationAxisError ?? 0)
    } else if let (header, metadata) = try orders.latest() {
      if header.kind == .order {
        axis = try metadata.withUnsafeBytes { try DistributionProgress(decoding: $0) }.axis.map(plan.inPixels)
      } else if !isAxisFinal {
        // What the last order before the end says is looked up once.
        axis = try plan.orderedAxis(folder, ring: rings[.orders(partition: 0)], before: header.sequence)
        isAxisFinal = true
      }
    }
    status.rotationAxis = axis?.axis
    status.rotationAxisError = axis.flatMap { $0.error > 0 ? $0.error : nil }
  }

  /// Fills in where a stage is.
  private func fill(_ stage: inout RunStatus.Stage) {
    guard let name = StageName(parsing: stage.name), let (topic, reader) = wiring.progress(of: name) else { return }
    stage.epoch = wiring.outputs(of: name).first.flatMap { rings[$0]?.progress.epoch }
    guard let progress = rings[topic]?.progress else { return }
    stage.cursor = reader.flatMap { progress.cursors[$0] } ?? progress.published
    stage.lag = progress.published - min(stage.cursor, progress.published)
  }

  private mutating func look(at worker: Int) throws {
    guard let (header, metadata) = try updates[worker].latest() else { return }
    switch header.kind {
    case .update: latest[worker] = try metadata.withUnsafeBytes { try UpdateEvent(decoding: $0) }
    case .end:
      ends[worker] = try metadata.withUnsafeBytes { try EndEvent(decoding: $0) }
      // What came between the look before and the end, of which only the newest is looked for.
      guard header.sequence > 0, let (last, body) = try updates[worker].event(at: header.sequence - 1),
        last.kind == .update
      else { return }
      latest[worker] = try body.withUnsafeBytes { try UpdateEvent(decoding: $0) }
    default: break
    }
  }

  private func phase(_ awaited: [Int]) -> RunStatus.Phase {
    if !awaited.isEmpty, awaited.allSatisfy({ ends[$0] != nil }) { return .exporting }
    return latest.contains { $0?.phase == .final } ? .finalIterations : .scanning
  }

  /// Windowed updates, and final iterations: a worker iterates over one block of rows after the other, so
  /// these are complete in its last block. Every windowed update made a generation, and the final iterations make one.
  private func updateCount(_ worker: Int) -> Int {
    if let end = ends[worker] {
      let iterations = plan.finalIterationCount(projections: end.projections)
      return Int(clamping: end.generation) + max(0, iterations - 1)
    }
    guard let update = latest[worker] else { return 0 }
    switch update.phase {
    case .window: return update.index + 1
    case .final:
      let isLastBlock = update.rows.upperBound == plan.placement.workers[worker].rows.upperBound
      return Int(clamping: update.generation) - 1 + (isLastBlock ? update.index + 1 : 0)
    }
  }

  private func sweptFraction(_ worker: Int) -> Double {
    if ends[worker] != nil { return 1 }
    guard let update = latest[worker], update.phase == .final else { return 0 }
    let rows = plan.placement.workers[worker].rows
    let iterations = plan.finalIterationCount(projections: update.projections.count)
    let before = Double(update.rows.lowerBound - rows.lowerBound)
    let within = Double(update.rows.count) * Double(update.index + 1) / Double(max(iterations, 1))
    return (before + within) / Double(rows.count)
  }
}
