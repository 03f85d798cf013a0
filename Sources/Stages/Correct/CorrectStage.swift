import Host
import Rings
import RunModel
import Tomography
import Topics

/// Filters that need whole projections: corrects each by flats and darks, removes zingers and retrieves phases, and
/// publishes it again.
///
/// Every event of `projections` becomes one of `corrected`, in their order. Flats become ones and darks zeros, so that
/// what comes out is a scan like any other, whose correction changes nothing: nobody behind this stage knows of it.
package struct CorrectStage {
  /// What is fixed for the whole run.
  package struct Configuration: Sendable {
    /// Rows of a projection's payload.
    var rows: Int
    /// Columns of it.
    var columns: Int
    /// How far above their surroundings zingers are; nil to leave them.
    var zingers: Double?
    /// The area of Paganin's filter in square pixels; nil for none.
    var phaseArea: Double?
    /// Whether the scan has flat fields, and dark ones: projections are not corrected without what they were taken
    /// with.
    var needs: (flats: Bool, darks: Bool)

    /// A configuration; the values were validated with the scan description.
    package init(rows: Int, columns: Int, zingers: Double?, phaseArea: Double?, needs: (flats: Bool, darks: Bool)) {
      self.needs = needs
      (self.rows, self.columns, self.zingers, self.phaseArea) = (rows, columns, zingers, phaseArea)
    }
  }

  /// What was found in the projections that this process corrected.
  struct Findings: Sendable {
    /// Zingers that were removed.
    var zingers = 0
    /// Pixels that were replaced by their neighbours.
    var pixels = PixelCounts()
  }

  private let configuration: Configuration
  private let projections: TopicReader
  private let corrected: TopicWriter
  private let executor: PoolExecutor
  private let limits: WaitLimits
  private let didWork: () -> Void
  private var fields: FieldBands
  private let zingers: ZingerFilter?
  private let phases: PaganinFilter?
  private var findings = Findings()
  private var progress = CorrectionProgress()

  /// `projections` replays from its first event; `pool` must have no other user. `didWork` hears of every event that
  /// was published.
  init(
    configuration: Configuration, projections: TopicReader, corrected: TopicWriter, pool: ThreadPool,
    limits: WaitLimits,
    didWork: @escaping () -> Void
  ) {
    let (rows, columns) = (configuration.rows, configuration.columns)
    self.configuration = configuration
    self.projections = projections
    self.corrected = corrected
    self.limits = limits
    self.didWork = didWork
    executor = PoolExecutor(pool: pool)
    fields = FieldBands(rows: rows, columns: columns)
    zingers = configuration.zingers.map { ZingerFilter(rows: rows, columns: columns, threshold: $0) }
    phases = configuration.phaseArea.map {
      PaganinFilter(rows: rows, columns: columns, area: $0, workers: pool.threadCount)
    }
  }

  /// Runs until `projections` ends; then closes `corrected`. A successor of a stage that died takes flats and darks
  /// again, and goes on behind what its predecessor published. Projections that salvage gave up are left out:
  /// `corrected` was set aside with them and is made anew.
  mutating func run() throws -> Findings {
    if try corrected.ending() == .closed { return findings }
    let published = corrected.nextSequence
    var number = try takeOver() ? published : 0
    while true {
      switch try limits.arrival(projections, of: Topic.projections.name) {
      case .lost(let range): try projections.release(upTo: range.upperBound)
      case .event(let event):
        if event.header.kind != .end { progress.note(event.header.kind, sequence: event.header.sequence) }
        try apply(event, isNew: number >= published)
        number += 1
        FaultPoint.unreleased.reach()
        try projections.release(upTo: event.header.sequence + 1)
        if event.header.kind == .end { return findings }
      }
    }
  }

  /// Takes the fields again and goes to where the last event of a predecessor says; false where there is none that
  /// does: then every event is looked at again.
  private mutating func takeOver() throws -> Bool {
    guard try corrected.ending() == .open, let (_, metadata) = try corrected.lastEvent() else { return false }
    let before = try metadata.withUnsafeBytes { try CorrectionProgress(decoding: $0) }
    guard before.input <= projections.published else { return false }
    progress = before
    var (sequence, found) = (UInt64(0), 0)
    while found < progress.fields || fields.listens, sequence < progress.input {
      switch try projections.arrival(at: sequence) {
      case .lost(let range): sequence = range.upperBound
      case .event(let event):
        if event.header.kind == .flat || event.header.kind == .dark {
          fields.add(try pixels(event), isFlat: event.header.kind == .flat)
          found += 1
        } else if event.header.kind == .projection, fields.listens {
          fields.listen(try pixels(event))
        }
        sequence += 1
      }
    }
    guard found == progress.fields else {
      throw StageError.disorder("\(found) of \(progress.fields) fields lie before event \(progress.input)")
    }
    try projections.skip(to: progress.input)
    return true
  }

  private mutating func apply(_ event: Event, isNew: Bool) throws {
    switch event.header.kind {
    case .flat, .dark:
      let isFlat = event.header.kind == .flat
      fields.add(try pixels(event), isFlat: isFlat)
      if isNew { try publish(event) { $0.update(repeating: isFlat ? 1 : 0) } }
    case .projection:
      try checkFields()
      if fields.listens { fields.listen(try pixels(event)) }
      if isNew { try publish(event) { try correct(event, into: $0) } }
    case .end:
      guard isNew else { return }
      try corrected.append(kind: .end, timeout: limits.room, EndEvent(decoding: event.metadata).encode)
      try corrected.flush()
    default: throw StageError.disorder("\(event.header.kind) in projections at \(event.header.sequence)")
    }
  }

  private func pixels(_ event: Event) throws -> RowPixels {
    try RowPixels(event, rows: 0..<configuration.rows, columns: configuration.columns)
  }

  /// Throws where no flat or no dark field came before the projections, or all of them were lost.
  private func checkFields() throws {
    let (needs, counts) = (configuration.needs, fields.counts)
    for (kind, isNeeded, count) in [("flat", needs.flats, counts.flats), ("dark", needs.darks, counts.darks)]
    where isNeeded && count == 0 {
      throw StageError.lost(
        "no \(kind) field came before the first projection, which filters of whole projections need; "
          + "leave --zingers and --paganin out"
      )
    }
  }

  private mutating func correct(_ event: Event, into image: UnsafeMutableBufferPointer<Float>) throws {
    let counts = fields.correct(try pixels(event), into: image.baseAddress!, executor)
    findings.pixels = findings.pixels + PixelCounts(counts)
    findings.pixels.dead = fields.deadPixelCount
    if let zingers { findings.zingers += zingers.apply(image.baseAddress!, executor: executor) }
    phases?.apply(image.baseAddress!, executor: executor)
  }

  /// Publishes an image in the place of `event`.
  private func publish(_ event: Event, _ fill: (UnsafeMutableBufferPointer<Float>) throws -> Void) throws {
    let (rows, columns) = (configuration.rows, configuration.columns)
    let claim = try corrected.claim(timeout: limits.room), count = rows * columns
    FaultPoint.claimed.reach()
    try fill(
      UnsafeMutableBufferPointer(start: claim.payload.baseAddress!.assumingMemoryBound(to: Float.self), count: count))
    FaultPoint.payloadWritten.reach()
    try corrected.commit(
      claim,
      EventFields(
        kind: event.header.kind, acquiredAt: event.header.acquiredAt,
        payloadByteCount: count * MemoryLayout<Float>.stride,
        metadataByteCount: progress.encode(into: claim.metadata), theta: event.header.theta,
        projection: event.header.projection, rows: rows, columns: columns,
        pixel: .float32))
    didWork()
    FaultPoint.committed.reach()
  }

  /// Bytes of the stage's own memory.
  package static func byteCount(_ configuration: Configuration, threads: Int) -> Int {
    let (rows, columns) = (configuration.rows, configuration.columns)
    return FieldBands.byteCount(rows: rows, columns: columns)
      + (configuration.zingers == nil ? 0 : ZingerFilter.byteCount(rows: rows, columns: columns))
      + (configuration.phaseArea.map {
        PaganinFilter.byteCount(rows: rows, columns: columns, area: $0, workers: threads)
      } ?? 0)
  }
}
