import Dashboard
import Detectors
import Foundation
import Glibc
import Host
import Run
import RunModel
import ScanFiles
import ScanPlan
import Stages

/// Reconstructs a scan part by part, each into a folder of its own, and joins the volumes: a scan file, or what a
/// detector sends, while it comes.
///
/// ```
/// series.json                what is to be made, and what is there of it; replaced after each volume
/// series.lock                held by whoever makes it
/// series.end                 of a live scan, that a person wants it to end
/// spool/                     of a live scan, its frames, until the last volume is there
/// volume_00000/              the output of the first volume's run, and its run folder
/// <name>_series.h5, .zarr    all volumes that are there, with time as the first axis
/// ```
/// The same command goes on where it ended: volumes that are there stay, one whose files were removed is made again,
/// and a run that was killed is resumed.
struct Series {
  /// With absolute paths.
  private let scan: ScanDescription
  private let interval: VolumeInterval
  private let signals: SignalDescriptor
  private let executable: String
  /// Opens the page of the volume of a live scan that comes next; nil for none.
  private let openPage: () throws -> Dashboard?

  /// The series of a scan, with a volume of each `interval`.
  /// - Throws: where the scan is described wrongly.
  init(
    scan: ScanDescription, interval: VolumeInterval, signals: SignalDescriptor, executable: String,
    openPage: @escaping () throws -> Dashboard?
  ) throws(ScanFailure) {
    try scan.validate()
    var scan = scan
    try scan.makePathsAbsolute()
    (self.scan, self.interval, self.signals, self.executable) = (scan, interval, signals, executable)
    self.openPage = openPage
  }

  /// Runs all that is not there yet. A volume whose projections show nothing, or of which none came, is told and left
  /// out: the others are made all the same.
  /// - Throws: what the first run that fails otherwise throws; the volumes before it stay.
  func run(command: [String], monitor: any RunMonitor, notice: @escaping (String) -> Void) throws
    -> SeriesManifest.SeriesResult
  {
    let parts = try scan.seriesParts(interval)
    let wasThere = access(scan.outputFolder, F_OK) == 0
    try RunFolder.makeFolder(scan.outputFolder, for: .usual)
    let lock = try takeLock()
    defer { withExtendedLifetime(lock) {} }
    defer { leaveNothing(wasThere: wasThere) }
    var manifest = try begin(parts, notice)
    let left = manifest.result.left, count = left + (parts.last?.upperBound ?? 0)
    notice(
      "\(parts.count) volume\(parts.count == 1 ? "" : "s") of \(Self.sizes(parts)) projections"
        + (left > 0 ? "; the last \(left) of \(count) make none and are left out" : ""))
    // Frames of a scan all of whose volumes were made are gone: what was removed since is in the runs' journals.
    let isTaken = manifest.result.volumes.count == parts.count
    let live = scan.isLive && !isTaken ? LiveSeries(scan, executable: executable, notice: notice) : nil
    defer { live?.stop() }
    for (index, part) in parts.enumerated() where try !isThere(index, in: manifest) {
      try make(index, part, of: &manifest, live, command: command, monitor: monitor, notice: notice)
      // While the volumes behind it are not there, or may have been removed too.
      guard index == manifest.result.volumes.count - 1 else { continue }
      manifest.result.outputs = try join(manifest.result.volumes)
      try manifest.save(scan.outputFolder)
    }
    if let received = try live?.received() {
      (manifest.result.received, manifest.result.lost) = (received.came, received.lost)
    }
    manifest.result.outputs = try join(manifest.result.volumes)
    try manifest.save(scan.outputFolder)
    if scan.isLive {
      live?.stop()
      try removeFrames()
    }
    return manifest.result
  }

  /// Makes one volume, or takes note why it cannot be.
  private func make(
    _ index: Int, _ part: Range<Int>, of manifest: inout SeriesManifest, _ live: LiveSeries?, command: [String],
    monitor: any RunMonitor, notice: (String) -> Void
  ) throws {
    func tell(_ line: String) { notice("volume \(index): \(line)") }
    let first = (scan.subset?.numbers.lowerBound ?? 0) + part.lowerBound
    func keep(_ result: RunResult?, _ failure: String?) throws {
      if let failure { tell(failure) }
      let volume = SeriesManifest.Volume(
        firstProjection: first, projections: part.count, result: result, failure: failure)
      let count = manifest.result.volumes.count
      manifest.result.volumes.replaceSubrange(index..<min(index + 1, count), with: [volume])
      try manifest.save(scan.outputFolder)
    }
    var one = scan.part(part)
    if let axis = manifest.result.rotationAxis { one.rotationAxis = .pixels(axis) }
    one.outputFolder = folder(index)
    if one.durability == .durable { one.runFolder = runFolder(index) }
    if let live, try !live.wait(for: part, signals: signals) {
      return try keep(nil, "none of its projections came")
    }
    if scan.isLive, live == nil, !RunFolder(path: runFolder(index)).isBegun {
      throw ScanFailure(
        .noInput,
        "\(folder(index)) has lost its volume and its run, and a detector does not send twice: put back what was "
          + "removed"
      )
    }
    live?.runFolder = one.runFolder
    defer { live?.runFolder = nil }
    let monitors = [monitor] + (live.map { [$0] } ?? [])
    let outcome = try watched(monitors) { try reconstruct(one, command: command, monitor: $0, notice: tell) }
    outcome.notices.forEach(tell)
    if let failure = outcome.failure, failure.sysExit != .data, failure.sysExit != .unavailable { throw failure }
    if manifest.result.rotationAxis == nil, outcome.failure == nil, outcome.report?.axis?.isGuess == false {
      manifest.result.rotationAxis = outcome.result.rotationAxis
    }
    try keep(outcome.result, outcome.failure?.description)
  }

  /// Does what `body` does, where the scan is live with a page for who looks at the volume while it comes.
  private func watched(
    _ monitors: [any RunMonitor], _ body: (any RunMonitor) throws -> Reconstruction.ReconstructionOutcome
  ) throws -> Reconstruction.ReconstructionOutcome {
    guard scan.isLive, let page = try openPage() else { return try body(RunMonitors(monitors)) }
    do {
      let outcome = try body(RunMonitors(monitors + [page]))
      page.finish(outcome.result)
      return outcome
    } catch {
      let isInterrupt = (error as? StageFailure)?.isInterrupt == true
      page.fail(ScanFailure(error).description, within: isInterrupt ? .milliseconds(100) : Dashboard.grace)
      throw error
    }
  }

  private func takeLock() throws -> LockFile {
    let path = SeriesManifest.lock(in: scan.outputFolder)
    guard let lock = try LockFile(path: path) else {
      let holder = try LockFile.holder(path: path) ?? "another process"
      throw ScanFailure(.cannotCreate, "the series in \(scan.outputFolder) is being made by \(holder)")
    }
    return lock
  }

  /// Removes what was made for a series that was refused; a folder that was there before stays.
  private func leaveNothing(wasThere: Bool) {
    guard !SeriesManifest.isThere(scan.outputFolder) else { return }
    unlink(SeriesManifest.lock(in: scan.outputFolder))
    if !wasThere { rmdir(scan.outputFolder) }
  }

  /// The last volume is there.
  private func removeFrames() throws {
    try SpoolFolder.remove(scan.seriesSpool)
    let order = SeriesIntake.order(in: scan.outputFolder)
    guard unlink(order) == 0 || errno == ENOENT else {
      throw ScanFailure(.inputOutput, "cannot remove \(order): \(Errno.current)")
    }
  }

  /// Whether nothing is left to do for a volume. One that was made, and whose files somebody has removed since, is made
  /// by a new run.
  private func isThere(_ index: Int, in manifest: SeriesManifest) throws -> Bool {
    guard manifest.result.volumes.indices.contains(index) else { return false }
    let volume = manifest.result.volumes[index]
    guard volume.failure == nil, !outputs(index, of: volume).allSatisfy({ access($0, F_OK) == 0 }) else {
      return true
    }
    // A detector does not send twice: its run makes it again from its journals.
    if scan.isLive { return false }
    let run = runFolder(index)
    guard access(run, F_OK) == 0, !RunFolder(path: run).isUnfinished else { return false }
    do { try FileManager.default.removeItem(atPath: run) } catch {
      throw ScanFailure(.inputOutput, "cannot remove \(run), whose volume is gone: \(error.localizedDescription)")
    }
    return false
  }

  /// What is to be said of volumes that are left out; nil where all are there.
  static func failure(of result: SeriesManifest.SeriesResult) -> ScanFailure? {
    let lacking = result.volumes.indices.filter { result.volumes[$0].failure != nil }
    guard let first = lacking.first, let why = result.volumes[first].failure else { return nil }
    let numbers = lacking.prefix(8).map(String.init).joined(separator: ", ") + (lacking.count > 8 ? ", …" : "")
    return ScanFailure(
      .data,
      "\(lacking.count) of \(result.volumes.count) volumes are left out (\(numbers)), the first because: \(why)")
  }

  /// A series that is begun, or the one that was.
  private func begin(_ parts: [Range<Int>], _ notice: (String) -> Void) throws -> SeriesManifest {
    let words = scan.words, input = scan.isLive ? [] : try scan.inputFiles().map(Self.sizeAndTime)
    if SeriesManifest.isThere(scan.outputFolder) {
      let manifest = try SeriesManifest.read(scan.outputFolder)
      guard try manifest.description.words == words, manifest.input == input else {
        throw ScanFailure(
          .cannotCreate,
          "\(scan.outputFolder) holds another series, or one of a file that has changed; choose another "
            + "--output-folder")
      }
      return manifest
    }
    let others = parts.indices.map(folder) + (scan.isLive ? [scan.seriesSpool] : [])
    for folder in others where access(folder, F_OK) == 0 {
      throw ScanFailure(.cannotCreate, "\(folder) is there, and no series is; choose another --output-folder")
    }
    let count: Int
    if scan.isLive {
      count = scan.liveThetas.count
      let room = try SeriesRoom(scan, parts: parts, topology: .current())
      if let shortfall = room.shortfall { throw shortfall }
      try checkDetector()
      notice(room.notice)
    } else {
      count = try scan.openInput().info.thetas.count
    }
    var result = SeriesManifest.SeriesResult(left: count - (parts.last?.upperBound ?? 0), expected: parts.count)
    result.rotationAxis = try axis(parts)
    let manifest = SeriesManifest(scan: words, input: input, result: result)
    try manifest.save(scan.outputFolder)
    return manifest
  }

  /// Throws where what it takes to listen to the detector is missing on this machine.
  private func checkDetector() throws(ScanFailure) {
    do throws(StreamError) { try scan.seriesDetector?.checkMeans() } catch { throw ScanFailure(error) }
  }

  /// One axis for all volumes, so that they lie on each other: from the first half turn of a file where that is one. A
  /// live scan shows it while its first volume is made; nil until then.
  private func axis(_ parts: [Range<Int>]) throws -> Double? {
    if case .pixels(let axis) = scan.rotationAxis { return axis }
    if scan.isLive {
      guard scan.rotationAxis != .automatic, let first = parts.first else { return nil }
      return try Planner(scan.part(first), topology: .current()).detectorAxis()
    }
    let thetas = try scan.openInput().info.thetas
    let turn = (try? VolumeInterval.halfTurn.parts(thetas: thetas))?.first
    return try Planner(scan.part(turn ?? thetas.indices), topology: .current()).detectorAxis()
  }

  private func reconstruct(
    _ one: ScanDescription, command: [String], monitor: any RunMonitor, notice: (String) -> Void
  ) throws -> Reconstruction.ReconstructionOutcome {
    if let path = one.runFolder, RunFolder(path: path).isBegun {
      return try Reconstruction.resume(
        RunFolder(path: path), overwrites: true, executable: executable, signals: signals, monitor: monitor,
        finishes: false, notice: notice)
    }
    return try Reconstruction(one, command: command, signals: signals, overwrites: true, abandon: {})
      .run(executable: executable, monitor: monitor, notice: notice)
  }

  /// Joins what the volumes have in common: for each of their HDF5 files and Zarr folders one of the series.
  private func join(_ volumes: [SeriesManifest.Volume]) throws -> [String] {
    let whole = volumes.indices.filter { volumes[$0].failure == nil }
    guard let first = whole.first else { return [] }
    let names = (volumes[first].result?.outputs ?? []).map { String($0.split(separator: "/").last ?? "") }
    var outputs: [String] = []
    for name in names where name.hasSuffix(".h5") || name.hasSuffix(".zarr") {
      let halves = name.split(separator: ".", maxSplits: .max).map(String.init)
      let path = "\(scan.outputFolder)/\(halves.dropLast().joined(separator: "."))_series.\(halves[halves.count - 1])"
      outputs.append(absolutePath(path))
      let series = VolumeSeries(
        volumes: whole.map { "\(folder($0))/\(name)" },
        times: whole.map { Double(volumes[$0].firstProjection) + Double(volumes[$0].projections - 1) / 2 })
      if name.hasSuffix(".h5") {
        try series.writeHDF5(to: path)
      } else {
        try series.writeZarr(to: path)
      }
    }
    return outputs
  }

  /// The folder of a volume.
  static func name(_ index: Int) -> String {
    let digits = "\(index)"
    return "volume_" + String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }

  private func folder(_ index: Int) -> String { "\(scan.outputFolder)/\(Self.name(index))" }

  /// The files of a volume, also where all of it was moved.
  private func outputs(_ index: Int, of volume: SeriesManifest.Volume) -> [String] {
    (volume.result?.outputs ?? []).map { "\(folder(index))/\($0.split(separator: "/").last ?? "")" }
  }

  private func runFolder(_ index: Int) -> String { "\(scan.runFolder ?? scan.outputFolder)/\(Self.name(index))/run" }

  private static func sizes(_ parts: [Range<Int>]) -> String {
    let counts = parts.map(\.count), (least, most) = (counts.min() ?? 0, counts.max() ?? 0)
    return least == most ? "\(most)" : "\(least) to \(most)"
  }

  private static func sizeAndTime(_ path: String) throws(ScanFailure) -> [Int] {
    var status = stat()
    guard stat(path, &status) == 0 else { throw ScanFailure(.noInput, "cannot open \(path): \(Errno.current)") }
    return [Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec]
  }
}
