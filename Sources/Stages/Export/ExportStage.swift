import Detectors
import Host
import Rings
import RunModel
import ScanFiles
import Topics

/// Follows the updates of all workers to their end; then writes the volume, and the denoised one as soon as it is
/// there.
package struct ExportStage {
  private let configuration: ExportConfiguration
  private let updates: [TopicReader]
  private let volumes: [VolumeRegion]
  private let wait: VolumeWait
  private let room: RoomWait
  private let standing: (Int) -> WorkerStanding
  private let didWork: () -> Void
  private let commands: TopicReader
  private let losses: () throws -> LossReport?
  private let thetas: (Int) throws -> [Double]?
  private let axis: () throws -> FoundAxis?
  private let denoised: (reader: TopicReader, volume: DenoisedVolume)?

  /// One reader and one volume for each worker, in the order of their rows; `commands` says who finalized the scan,
  /// `standing` what is expected of each worker; `didWork` hears of every update. `denoised` is what the stage
  /// `denoise` writes, where the run has one. `losses` are asked for once the updates have ended: what a live source
  /// has lost, and `axis` where its rotation axis is, in pixels of the detector, if nobody gave that. `room` says what
  /// to do on a full disk.
  init(
    configuration: ExportConfiguration, updates: [TopicReader], commands: TopicReader, volumes: [VolumeRegion],
    denoised: (reader: TopicReader, volume: DenoisedVolume)?, limits: WaitLimits, room: RoomWait,
    standing: @escaping (Int) -> WorkerStanding, stopRequested: @escaping () -> Bool, didWork: @escaping () -> Void,
    losses: @escaping () throws -> LossReport? = { nil }, thetas: @escaping (Int) throws -> [Double]? = { _ in nil },
    axis: @escaping () throws -> FoundAxis? = { nil }
  ) {
    precondition(
      updates.count == volumes.count && !updates.isEmpty, "\(updates.count) update topics, \(volumes.count) volumes")
    precondition(
      (denoised == nil) == (configuration.denoised == nil), "a denoised volume is written where there is one")
    self.configuration = configuration
    self.commands = commands
    (self.losses, self.thetas, self.axis) = (losses, thetas, axis)
    self.denoised = denoised
    self.room = room
    (self.updates, self.volumes, self.standing, self.didWork) = (updates, volumes, standing, didWork)
    wait = VolumeWait(limits: limits, stopRequested: stopRequested)
  }

  /// Bytes of the stage's own memory at its peak, for a volume of so many slices.
  package static func byteCount(slices: Int, columns: Int, makesZarr: Bool) -> Int {
    let depth = slicesOfGroup(columns: columns)
    return (SliceRounds.groups * min(slices, depth) + 1) * columns * columns * MemoryLayout<Float>.stride
      + SliceRounds.threads * TIFFImage.stripBytes
      + (makesZarr ? ZarrVolume.byteCount(slices: slices, columns: columns, depth: depth) : 0)
  }

  /// What was written; nil where a stop was requested, or the scan ended before its first projection: then there is no
  /// volume.
  func run() throws -> ExportReport? {
    var follower = UpdateFollower(updates: updates, limits: wait.limits, standing: standing, didWork: didWork)
    guard let (convergence, pace) = try follow(&follower) else { return nil }
    let (ends, missing) = (follower.ends, follower.missing)
    guard let first = ends.first, try wait.wait(for: follower.present(of: volumes), ends) else { return nil }
    guard let used = ends.map(\.projections).min(), used > 0 else { return nil }
    FaultPoint.exportBefore.reach()
    let lost = ends.reduce(0) { max($0, $1.acquired) } - used
    let losses = try losses(), pixels = convergence.pixelCounts
    let lostFields = configuration.fields - (ends.map(\.fields).min() ?? 0) - (losses?.emptyFlats ?? 0)
    let duplicates = ends.reduce(0) { $0 + $1.duplicates }
    var configuration = configuration
    configuration.came(projections: used + lost, thetas: try thetas(used + lost))
    let axis = try axis()
    if let axis { configuration.note(axis: axis) }
    let stopReason = try stopReason(first)
    var facts = [
      "stop_reason": stopReason, "projections": "\(used)", "lost_projections": "\(lost)",
      "lost_fields": "\(lostFields)",
      "duplicate_events": "\(duplicates)", "clamped_pixels": "\(pixels.clamped)", "dead_pixels": "\(pixels.dead)",
      "non_finite_pixels": "\(pixels.nonFinite)",
    ].merging(losses?.facts ?? [:]) { $1 }
    if let pace = pace.report { facts.merge(pace.facts) { $1 } }
    let source = VolumeSource(volumes: volumes, missing: missing)
    let missingRows = source.missingRows.map { RowRange($0, firstSlice: configuration.firstSlice) }
    if !missingRows.isEmpty { facts["missing_rows"] = RowRange.list(missingRows) }
    let fits = convergence.fits(rows: configuration.firstRow..<configuration.firstRow + source.count)
    if let fit = configuration.fit(fits) { facts.merge(fit.facts) { $1 } }
    let generations = volumes.map(\.newest)
    try VolumeSource.check(volumes, generations, without: missing)
    guard var written = try write(source, facts, configuration, fits) else { return nil }
    // What was written is of voxels that were whole before, and still are.
    try VolumeSource.check(volumes, generations, without: missing)
    var denoisedSHA256: String?
    // A volume with missing rows is not denoised.
    if missing.isEmpty, let denoised, let words = configuration.denoised {
      guard try waitForDenoised(denoised.reader, denoised.volume) else { return nil }
      try DenoisedSource.check(denoised.volume)
      let configuration = configuration.denoised(words, noise: denoised.volume.noise)
      guard let more = try write(DenoisedSource(volume: denoised.volume), facts, configuration) else { return nil }
      try DenoisedSource.check(denoised.volume)
      written.outputs += more.outputs
      denoisedSHA256 = more.digest
    }
    let (window, final) = (convergence.windowResiduals, convergence.finalResiduals)
    return ExportReport(
      outputs: written.outputs, isChecked: configuration.checks, volumeSHA256: written.digest,
      partsSHA256: written.parts,
      denoisedSHA256: denoisedSHA256,
      stoppedBy: stopReason, projections: used, lost: lost, lostFields: lostFields, duplicates: duplicates,
      updates: window.count + final.count, windowResiduals: window, finalResiduals: final,
      pace: pace.report, pixels: pixels, fits: fits, missingRows: missingRows,
      range: written.range.map { [$0.lowerBound, $0.upperBound] }, rotationAxis: axis?.axis,
      rotationAxisError: axis?.error)
  }

  /// Takes the updates of all workers to their ends; nil where somebody asked for the end of everything.
  private func follow(_ follower: inout UpdateFollower) throws -> (Convergence, PaceRecord)? {
    var convergence = Convergence(
      workers: updates.count, windowUpdates: configuration.windowUpdates,
      finalIterations: configuration.finalIterations)
    var pace = PaceRecord(levels: configuration.levels, workers: updates.count)
    while !follower.hasEnded {
      if wait.stopRequested() { return nil }
      try follower.poll {
        try convergence.add($0, worker: $1)
        pace.add($0, worker: $1)
      }
    }
    return (convergence, pace)
  }

  /// Why the scan ended, in words. Of a scan that was finalized and whose command is lost nobody knows who did it.
  private func stopReason(_ end: EndEvent) throws -> String {
    guard end.reason == .finalized, case .event(let event) = try commands.arrival(timeout: .zero) else {
      return end.reason.word
    }
    return try CommandEvent(decoding: event.metadata).reason
  }

  /// Writes one volume, and reads it back where that was asked for; nil where a stop was requested.
  private func write(
    _ source: any SliceSource, _ facts: [String: String], _ configuration: ExportConfiguration, _ fits: [RowFit] = []
  ) throws -> VolumeExport.Written? {
    var export = VolumeExport(
      configuration: configuration, source: source, fits: fits, room: room, stopRequested: wait.stopRequested)
    export.remark = Self.remark(facts)
    guard let written = try export.write(facts) else { return nil }
    if configuration.checks { guard try export.check() else { return nil } }
    return written
  }

  /// What is told in every slice's file: what the volume was made without.
  private static func remark(_ facts: [String: String]) -> String {
    let told = [
      ("empty_projections", "empty projections left out"), ("dead_pixels", "dead pixels"),
      ("clamped_pixels", "pixels at or below dark"),
    ]
    return told.map { name, words in
      guard let count = facts[name], count != "0" else { return "" }
      return ", \(count) \(words)"
    }.joined()
  }

  /// Waits until `denoised` is closed and its volume complete: after a restart of the machine it is made again, though
  /// its end was reported before. False where a stop was requested.
  private func waitForDenoised(_ reader: TopicReader, _ volume: DenoisedVolume) throws -> Bool {
    var start = ContinuousClock.now
    while true {
      if wait.stopRequested() { return false }
      if let event = try reader.next(timeout: WaitLimits.pollInterval) {
        guard event.header.kind == .end else {
          throw StageError.disorder("\(event.header.kind) in denoised at \(event.header.sequence)")
        }
        try reader.release(upTo: event.header.sequence + 1)
        break
      }
      guard !wait.limits.isOver(since: &start) else {
        throw StageError.stalled("no denoised volume for \(wait.limits.idle)")
      }
    }
    return try wait.wait("no denoised volume") { volume.complete == volume.slices }
  }
}
