import Detectors
import Glibc
package import Host
import KernelTypes
import Rings
import RunModel
package import ScanPlan
import Stages
import Tomography

/// Writes what a run that is over saved of its volume: once more, in another format, or of a run that never came to its
/// end.
package struct SavedExport {
  /// What was written.
  package struct Result: Codable, Sendable {
    /// The run's identifier.
    let run: String
    /// Paths of the files.
    package let outputs: [String]
    /// Of the volume, whatever it was written as.
    package let volumeSHA256: String
    /// What the least and the greatest integer of the files stand for; nil where there are no integers.
    let range: [Float]?
    /// Projections that the volume is made of, of every worker the least.
    package let projections: Int
    /// Whether this is the volume that the run ended with.
    package let isFinal: Bool
    /// How often each worker's volume had been updated.
    package let generations: [UInt64]
  }

  private let folder: RunFolder
  private let plan: RunPlan

  /// The run in `folder`. Throws `.noInput` where there is none, `.cannotCreate` where it is alive, `.usage` where it
  /// saved nothing.
  package init(_ folder: RunFolder) throws {
    self.folder = folder
    plan = try folder.readPlan()
    try folder.refuseIfSupervised()
    guard plan.scan.durability == .durable, plan.scan.checkpointEvery.interval != .never else {
      throw ScanFailure(
        .usage,
        "the run in \(folder.path) saved no volumes (--durability memory or --checkpoint-every 0); "
          + "its output is all there is"
      )
    }
  }

  /// Writes it into `output`, a new folder or one that is there; nil for `exported` in the run's folder. `apply` says
  /// as what. With `overwrites` the result of another run there makes room. Everything is read back and compared. A
  /// signal ends the process; what is there then is complete.
  package func write(
    to output: String?, overwrites: Bool, signals: SignalDescriptor, _ apply: (inout ScanDescription) -> Void
  ) throws -> Result {
    let needed = plan.placement.workers.indices.reduce(0) { $0 + plan.layout(ofWorker: $1).volumeByteCount }
    if let available = Machine.memoryAvailable, needed > available {
      throw ScanFailure(
        .cannotCreate, "the volume needs \(bytes(needed)) of memory and the machine has \(bytes(available)) available")
    }
    let path = output ?? folder.path + "/exported"
    var configuration = try plan.export(to: path, apply)
    let (parts, updates) = try signals.endingProcess { _ in try read() }
    let output = try OutputFolder(
      path, run: plan.runID, files: configuration.names(slices: plan.slices), overwrites: overwrites)
    defer { withExtendedLifetime(output) {} }
    let finished = try folder.mirrored(by: plan).readExport()
    let projections = updates.map { $0.projections.upperBound }.min() ?? 0
    configuration.came(
      projections: projections, thetas: plan.live == nil ? nil : try plan.orderedThetas(projections, folder, ring: nil))
    if let axis = try axis(finished, updates) { configuration.note(axis: axis) }
    let cleanUp: @Sendable () -> Void = { [cleanUp = output.cleanUp] in
      Self.removeUnfinished(in: path)
      cleanUp()
    }
    return try signals.endingProcess(grace: Self.grace, cleanUp: cleanUp) { [configuration] watch in
      // Of an export that was killed.
      try removeTemporaryFilesOfDeadProcesses(in: path)
      let fits = finished?.fits ?? []
      let facts = try facts(projections, finished).merging(configuration.fit(fits)?.facts ?? [:]) { $1 }
      let written = try SavedVolume(parts).export(configuration, facts: facts, fits: fits) { watch.signal != nil }
      guard let written else { throw StageFailure(signal: watch.signal ?? SIGTERM) }
      return Result(
        run: plan.runID.description, outputs: written.outputs, volumeSHA256: written.volumeSHA256,
        range: written.range.map { [$0.lowerBound, $0.upperBound] }, projections: projections,
        isFinal: finished?.volumeSHA256 == written.volumeSHA256,
        generations: updates.map(\.generation))
    }
  }

  /// The axis that a live scan's volume is made about, in pixels of the detector, where it was found; nil where the
  /// plan knows it.
  private func axis(_ finished: ExportReport?, _ updates: [UpdateEvent]) throws -> FoundAxis? {
    if let axis = finished?.axis { return axis }
    return try plan.orderedAxis(folder, ring: nil, before: updates.map(\.cursor).max() ?? 0)
  }

  /// From one slice to the next; the last steps of a file, or a large slice, may take longer.
  private static let grace: Duration = .milliseconds(200)

  /// What this process has begun; where that cannot be removed, the next export does.
  private static func removeUnfinished(in path: String) {
    do { try removeTemporaryFiles(in: path, ofProcess: getpid()) } catch {}
  }

  /// What the HDF5 file says of the run.
  private func facts(_ projections: Int, _ finished: ExportReport?) throws -> [String: String] {
    let reason = finished?.stoppedBy ?? "not finished: the newest saved volume"
    var facts = ["stop_reason": reason, "projections": "\(projections)"]
    if let finished {
      facts.merge(["lost_projections": "\(finished.lost)", "lost_fields": "\(finished.lostFields)"]) { $1 }
      facts["duplicate_events"] = "\(finished.duplicates)"
      facts["clamped_pixels"] = "\(finished.pixels.clamped)"
      facts["dead_pixels"] = "\(finished.pixels.dead)"
      facts["non_finite_pixels"] = "\(finished.pixels.nonFinite)"
    }
    return facts.merging(try folder.mirrored(by: plan).readLosses()?.facts ?? [:]) { $1 }
  }

  /// The newest whole volume of every worker, and the update that made it.
  private func read() throws -> ([SavedVolume.Rows], [UpdateEvent]) {
    var (parts, updates): ([SavedVolume.Rows], [UpdateEvent]) = ([], [])
    for worker in plan.placement.workers.indices {
      let memory = ScratchMemory(byteCount: plan.layout(ofWorker: worker).volumeByteCount)
      let checkpoint = plan.checkpoint(ofWorker: worker, in: folder)
      guard let update = try checkpoint.readNewest(into: memory.start) else {
        throw ScanFailure(
          .data,
          "the run in \(folder.path) has no whole saved volume of rows \(plan.placement.workers[worker].rows); "
            + "slipring resume finishes it"
        )
      }
      let slices = checkpoint.slices(UnsafeRawPointer(memory.start), of: update)
      parts.append(SavedVolume.Rows(slices: slices, memory: memory))
      updates.append(update)
    }
    return (parts, updates)
  }
}

extension RunPlan {
  /// What an export of a saved volume writes, and where.
  fileprivate func export(to output: String, _ apply: (inout ScanDescription) -> Void) throws(ScanFailure)
    -> ExportConfiguration
  {
    var plan = self
    plan.scan.denoise = .none
    (plan.scan.outputFolder, plan.scan.retain) = (output, .none)
    apply(&plan.scan)
    try plan.scan.validate()
    return plan.export
  }
}
