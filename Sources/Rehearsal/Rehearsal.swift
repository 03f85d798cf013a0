import Foundation
import Glibc
package import Host
import Run
package import ScanPlan

/// A rehearsal: the unchanged run of a scan file against a virtual detector, with a link, a disk and processes that
/// fail when a plan says so, and whether what the plan expects holds all the same.
///
/// ```
/// simulate --memory ──► link ──► slipring run            one process, a thread, the run's processes
///        ▲               ▲          ▲        disk
///        └───────────────┴──────────┴──────────┴─ the conductor, every 10 ms
/// ```
package final class Rehearsal {
  private let scan: RehearsedScan
  private let plan: RehearsalPlan
  private let setting: VirtualDetector.Setting
  private let executable: String
  private let signals: SignalDescriptor
  private let cores: RehearsedCores
  private let keeps: Bool
  private let notice: (String) -> Void
  /// What stands beside each other in it: frames, descriptions, outputs.
  private let folder: String

  private static let turn: Duration = .milliseconds(10)
  /// What a run may take beyond the time of its frames, in seconds, and how much longer than these.
  private static let (patience, slowness) = (600.0, 4.0)
  /// A detector whose frames were taken ends soon.
  private static let detectorLimit: Duration = .seconds(5)

  /// `executable` is this program; `signals` holds SIGINT and SIGTERM and was made before any thread. With `keeps` the
  /// folder of the rehearsal stays, beside the scan's output.
  /// - Throws: `.usage` where the scan cannot be rehearsed, `.unavailable` where there are not the plan's cores,
  ///   `.cannotCreate` where there is no room for the folder.
  package init(
    _ scan: ScanDescription, _ plan: RehearsalPlan, detector: RehearsedDetector?, seed: UInt64, keeps: Bool,
    executable: String, signals: SignalDescriptor, notice: @escaping (String) -> Void
  ) throws {
    guard let detector = detector ?? plan.detector else {
      throw ScanFailure(.usage, "how quickly does the detector measure? say --detector \(RehearsedDetector.form)")
    }
    self.scan = try RehearsedScan(scan, detector)
    setting = self.scan.detector(
      rate: detector.rate, memory: plan.memory ?? max(16, Int(min(detector.rate, 1e6).rounded(.up))), seed: seed)
    (self.plan, self.executable, self.signals) = (plan, executable, signals)
    (self.keeps, self.notice) = (keeps, notice)
    cores = try RehearsedCores(plan.cores)
    folder = try Self.makeFolder(near: absolutePath(scan.outputFolder))
  }

  /// A new folder on the disk of the output, whose own folder need not be there yet.
  private static func makeFolder(near output: String) throws(ScanFailure) -> String {
    var place = folderName(of: output)
    while access(place, F_OK) != 0, place != "/" { place = folderName(of: place) }
    var template = Array("\(place == "/" ? "" : place)/slipring-rehearsal-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw ScanFailure(
        .cannotCreate, "cannot create a folder in \(place): \(Errno.current); choose another output-folder")
    }
    return String(decoding: template.dropLast().map(UInt8.init), as: UTF8.self)
  }

  private var forecast: RehearsalForecast {
    RehearsalForecast(
      scan.scan, rate: setting.rate, frames: setting.projections, frameByteCount: setting.frameByteCount,
      memory: setting.memory ?? 1, faults: plan.faults)
  }

  /// Rehearses; ends with whatever it started, also where a signal ends it.
  package func run() throws -> RehearsalReport {
    defer {
      if keeps { notice("kept: \(folder)") } else { try? FileManager.default.removeItem(atPath: folder) }
    }
    let place = scan.placed("zmq+pull://127.0.0.1:1", output: folder + "/forecast", run: folder + "/forecast-run")
    try plan.checkStages(cores.stages(of: place))
    let predictions =
      try cores.forecast(place, rate: setting.rate, projections: setting.projections) + forecast.lines
    for line in scan.notices + predictions { notice(line) }
    let diskFolder = folder + "/disk"
    guard mkdir(diskFolder, 0o700) == 0 else {
      throw ScanFailure(.cannotCreate, "cannot create \(diskFolder): \(Errno.current)")
    }
    let disk = try plan.disk.map { try Self.mount(diskFolder, byteCount: $0) }
    defer { disk?.unmount() }
    notice("measuring \(counted(setting.projections, "projection")) of \(setting.rows) × \(setting.columns)")
    try VirtualDetector.measure(setting, into: frames) { try signals.stopOnSignal() }
    let (seen, faults) = try conduct(disk, in: diskFolder)
    var measured = seen
    if plan.expectations.contains(where: { $0.subject == .volume }) { try compareVolume(&measured) }
    return RehearsalReport(
      seed: setting.seed, predictions: predictions, faults: faults, expectations: plan.expectations.map(measured.row),
      failure: measured.failure)
  }

  private static func mount(_ folder: String, byteCount: Int) throws(ScanFailure) -> MemoryDisk {
    do throws(HostError) { return try MemoryDisk(at: folder, byteCount: byteCount) } catch {
      throw ScanFailure(
        .unavailable,
        "this process may not mount a disk of its own (\(error)): rehearse as root, or leave disk: out of the plan")
    }
  }

  private var frames: String { folder + "/frames.h5" }

  /// Starts a run that takes its images from a port of this machine.
  private func start(_ name: String, port: UInt16, in place: String) throws -> RehearsedRun {
    let description = "\(folder)/\(name).yaml", run = "\(place)/\(name)-run"
    let placed = scan.placed("zmq+pull://127.0.0.1:\(port)", output: "\(place)/\(name)", run: run)
    try writeFileAtomically(
      path: description, text: ScanFile.effective(placed, command: ["slipring", "rehearse"]))
    return try RehearsedRun(
      description, folder: run, executable: executable, output: "\(folder)/\(name).json", cores: cores)
  }

  /// The run with its faults, from the detector's start to the end of both.
  private func conduct(_ disk: MemoryDisk?, in place: String) throws -> (
    RehearsalOutcome, [RehearsalReport.FaultRow]
  ) {
    let detector = try VirtualDetector(
      setting, scan: frames, executable: executable, output: folder + "/detector.json")
    defer { try? detector.end() }
    let link = try LoopbackLink(to: detector.port)
    // The detector hands its last frames over until it has ended.
    defer { withExtendedLifetime(link) {} }
    let run = try start("rehearsal", port: link.port, in: place)
    // What is left of it must not outlive the rehearsal.
    defer { try? run.end() }
    let stand = FaultConductor.Stand(link: link, detector: detector, run: run, disk: disk)
    let (begun, deadline) = (ContinuousClock.now, Deadline(after: limit))
    var conductor: FaultConductor?, first = begun
    func time(since start: ContinuousClock.Instant) -> Double { (.now - start) / .seconds(1) }
    while try run.reap() == nil {
      if conductor == nil, link.carried >= setting.frameByteCount {
        first = .now
        conductor = FaultConductor(plan.faults, seed: setting.seed, stand)
      }
      try conductor?.turn(at: time(since: first))
      try wait(for: run, deadline)
    }
    let seconds = time(since: begun)
    var ended = conductor ?? FaultConductor(plan.faults, seed: setting.seed, stand)
    try ended.finish(at: time(since: first))
    let outcome = RehearsalOutcome(
      result: run.result(), exit: run.status, seconds: seconds,
      overrun: try detector.overrun(within: Self.detectorLimit), failure: run.failure)
    return (outcome, ended.rows)
  }

  /// What a run may take.
  private var limit: Duration {
    let faults = plan.faults.reduce(0.0) { max($0, $1.time) }
    return .seconds(Self.patience + Self.slowness * Double(setting.projections) / setting.rate + faults)
  }

  private func wait(for run: RehearsedRun, _ deadline: Deadline) throws {
    try signals.stopOnSignal()
    guard !deadline.hasPassed else {
      throw ScanFailure(.temporary, "the rehearsed run took longer than \(limit), and was ended")
    }
    _ = try Poll.wait(readable: [run.pidfd, signals.descriptor], timeout: Self.turn)
  }

  /// Runs the same frames once more, without faults and from a detector that waits.
  private func compareVolume(_ outcome: inout RehearsalOutcome) throws {
    guard let result = outcome.result, let volume = result.volumeSHA256 else { return }
    guard result.lost == 0 else { return outcome.volumeWords = "unknown: frames are missing" }
    notice("the same once more without faults, to compare the volumes")
    let waiting = scan.detector(rate: setting.rate, memory: nil, seed: setting.seed)
    let detector = try VirtualDetector(
      waiting, scan: frames, executable: executable, output: folder + "/detector-reference.json")
    defer { try? detector.end() }
    let run = try start("reference", port: detector.port, in: folder)
    defer { try? run.end() }
    let deadline = Deadline(after: limit)
    while try run.reap() == nil { try wait(for: run, deadline) }
    guard let reference = run.result()?.volumeSHA256 else {
      throw ScanFailure(.software, "the run without faults has failed: \(run.failure ?? "it did not say why")")
    }
    outcome.isSame = volume == reference
  }
}
