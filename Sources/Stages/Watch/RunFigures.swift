import Alarms
import Rings
import RunModel

/// What the rings of a run say of it. Nothing is held, and what is damaged or overwritten meanwhile is not known: the
/// stage that needs it meets the damage, and says so.
struct RunFigures {
  private let configuration: WatchConfiguration
  private let projections: RingObserver
  private let images: RingObserver
  private let orders: RingObserver
  private let updates: [RingObserver]
  private let scores: RingObserver
  private var beam = BeamLook()
  private var newest: UInt64?
  private var seen: (projection: UInt64, at: UInt64)?
  /// Nanoseconds between two projections as they last were.
  private var spacing = 0.0
  private var latest: [UpdateEvent?]
  private var newestUpdates: [UInt64?]
  private let counted: () -> [Int]
  private let uplink: (() -> UplinkReport?)?
  private var (similarity, nextScore) = (RunSimilarity(), UInt64(0))
  private var lowestScore: Double?
  private var looks = 0
  /// Whether the workers have made all that they will.
  private(set) var isReconstructed = false
  /// Projections that were acquired.
  private(set) var acquired = 0

  private static let (looksOfLedger, looksOfNodes) = (10, 5)
  /// Scores that are looked at in one go, the newest.
  private static let scoresMax: UInt64 = 256
  /// A projection is overdue after so many times the time between those before.
  private static let overdue = 3.0

  /// `counted` gives the workers whose scores count, `uplink` what nodes say of theirs; nil where nobody asks these.
  init(
    _ configuration: WatchConfiguration, observer: (Topic) throws -> RingObserver, workers: Int,
    counted: @escaping () -> [Int], uplink: (() -> UplinkReport?)? = nil
  ) throws {
    (self.configuration, self.counted, self.uplink) = (configuration, counted, uplink)
    projections = try observer(.projections)
    images = try observer(configuration.images.topic)
    orders = try observer(.orders(partition: 0))
    updates = try (0..<workers).map { try observer(.updates(partition: $0)) }
    scores = try observer(.scores)
    latest = updates.map { _ in nil }
    newestUpdates = updates.map { _ in nil }
  }

  /// Fills in what is known now.
  mutating func fill(_ sample: inout GaugeSample) {
    lookAtSource(&sample)
    let progress = images.progress
    let places = configuration.images.readers.map { progress.cursors[$0] ?? progress.published }
    let (slowest, fastest) = (places.min() ?? 0, places.max() ?? 0)
    sample[.lag] = Double(progress.published - min(slowest, progress.published))
    sample[.workerSpread] = Double(fastest - slowest)
    let source = projections.progress
    sample[.buffered] = Double(source.committed - min(source.published, source.committed))
    sample[.spilled] = Double(source.spilled)
    for worker in updates.indices { lookAtUpdates(worker, &sample) }
    fillFit(&sample)
    lookAtOrders(&sample)
    if let seconds = sample[.updateSeconds], let step = sample[.step], step > 0, spacing > 0 {
      sample[.workload] = seconds / (step * spacing / 1e9)
    }
    lookAtScores(&sample)
    looks += 1
  }

  private mutating func lookAtSource(_ sample: inout GaugeSample) {
    guard let (header, metadata) = try? projections.latest(), header.kind == .projection else { return }
    sample.evidence = header.sequence
    acquired = Int(clamping: header.projection) + 1
    fillRate(header, &sample)
    if header.sequence != newest, let figures = beam.look(at: header, in: projections) {
      (sample[.intensity], sample[.deadRows]) = (figures.intensity, figures.deadRows)
    }
    newest = header.sequence
    guard configuration.hasLedger, looks % Self.looksOfLedger == 0,
      let losses = metadata.withUnsafeBytes({ try? LossLedger(decoding: $0) })?.losses
    else { return }
    sample[.missing] = Double(losses.lost)
    sample[.faults] = Double(losses.duplicates + losses.late + losses.malformed + (losses.empty ?? 0))
  }

  /// By the clock of the acquisition. Where a projection is overdue, they come no faster than one in that time.
  private mutating func fillRate(_ header: EventHeader, _ sample: inout GaugeSample) {
    if let seen, header.projection > seen.projection, header.acquiredAt > seen.at {
      spacing = Double(header.acquiredAt - seen.at) / Double(header.projection - seen.projection)
      sample[.rate] = 1e9 / spacing
    } else if let seen, spacing > 0, acquired < configuration.projections, sample.at > seen.at,
      Double(sample.at - seen.at) > Self.overdue * spacing
    {
      sample[.rate] = 1e9 / Double(sample.at - seen.at)
    }
    if seen.map({ header.projection != $0.projection }) ?? true { seen = (header.projection, header.acquiredAt) }
  }

  private mutating func lookAtUpdates(_ worker: Int, _ sample: inout GaugeSample) {
    guard let (header, metadata) = try? updates[worker].latest(), newestUpdates[worker] != header.sequence else {
      return
    }
    newestUpdates[worker] = header.sequence
    if header.kind == .end { isReconstructed = true }
    guard header.kind == .update, let update = metadata.withUnsafeBytes({ try? UpdateEvent(decoding: $0) }) else {
      return
    }
    latest[worker] = update
    guard update.phase == .window else { return }
    sample[.updateSeconds] = max(sample[.updateSeconds] ?? 0, Double(update.duration) / 1e9)
  }

  private func fillFit(_ sample: inout GaugeSample) {
    let known = latest.compactMap { $0 }
    guard !known.isEmpty else { return }
    sample[.deadPixels] = Double(known.reduce(0) { $0 + $1.pixels.dead })
    sample[.correctedPixels] = Double(
      known.reduce(0) { $0 + $1.pixels.nonFinite + $1.pixels.clamped + $1.pixels.negative })
    let data = known.reduce(0) { $0 + $1.dataSquared }
    // Only where an update is new: a figure that stands still is no new one.
    if sample[.updateSeconds] != nil, data > 0 {
      sample[.residual] = (known.reduce(0) { $0 + $1.residualSquared } / data).squareRoot()
    }
  }

  private func lookAtOrders(_ sample: inout GaugeSample) {
    if let (header, metadata) = try? orders.latest(), header.kind == .order,
      let progress = metadata.withUnsafeBytes({ try? DistributionProgress(decoding: $0) })
    {
      sample[.step] = Double(configuration.windowStep * progress.updateInterval)
    }
  }

  private mutating func lookAtScores(_ sample: inout GaugeSample) {
    let hasNew = takeScores()
    guard hasNew || uplink != nil && looks % Self.looksOfNodes == 0 else { return }
    let lowest = similarity.lowest(amongst: counted(), uplink?())
    // A figure that stands still is no new one.
    if hasNew || lowest != lowestScore { sample[.similarity] = lowest }
    lowestScore = lowest
  }

  /// Takes the scores that are new; whether there was one.
  private mutating func takeScores() -> Bool {
    guard let (header, _) = try? scores.latest(), header.kind == .score, header.sequence >= nextScore else {
      return false
    }
    let first = max(nextScore, header.sequence - min(header.sequence, Self.scoresMax - 1))
    for sequence in first...header.sequence {
      guard let (header, metadata) = try? scores.event(at: sequence), header.kind == .score,
        let score = metadata.withUnsafeBytes({ try? ScoreEvent(decoding: $0) })
      else { continue }
      similarity.add(score)
    }
    nextScore = header.sequence + 1
    return true
  }
}
