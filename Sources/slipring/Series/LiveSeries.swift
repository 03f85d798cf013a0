import Glibc
import Host
import Run
import ScanPlan
import Spools

/// The frames of a live series: keeps the process that takes them from the detector, and knows how far they are.
///
/// It has no thread: whoever waits for frames, and each run several times a second, lets it look after that process.
final class LiveSeries: RunMonitor {
  private let scan: ScanDescription
  private let executable: String
  private let notice: (String) -> Void
  private var child: ChildProcess?
  /// When it was started, may be started again, and how often it ended within a short time.
  private var (started, next, failures) = (ContinuousClock.now, ContinuousClock.now, 0)
  /// The exit code of one that cannot be started again; it has said why.
  private var failure: Int32?
  private var frames: SpoolProgress?
  private var isTold = false
  /// The run that reads what comes.
  var runFolder: String?

  private static let poll: Duration = .milliseconds(200)
  private static let (pauseMin, pauseMax, goodAfter) = (
    Duration.milliseconds(100), Duration.seconds(10), Duration.seconds(30)
  )
  /// With ten seconds between them, somebody had a quarter of an hour to mend what is wrong.
  private static let failuresMax = 100
  private static let stopLimit: Duration = .seconds(20)

  /// Of a scan whose series is described in its output folder; takes nothing yet.
  init(_ scan: ScanDescription, executable: String, notice: @escaping (String) -> Void) {
    (self.scan, self.executable, self.notice) = (scan, executable, notice)
  }

  /// Waits until one of these projections came; false where none of them will any more.
  /// - Throws: `StageFailure` where a signal came, or where nothing can be taken from the detector.
  func wait(for projections: Range<Int>, signals: SignalDescriptor) throws -> Bool {
    while true {
      try signals.stopOnSignal()
      try keep()
      if let failure { throw StageFailure(exitCode: failure) }
      if frames == nil { frames = try scan.seriesProgress() }
      if let frames, try frames.look() {
        if frames.hasBegun(projections) { return true }
        if frames.isOver(projections) { return false }
      }
      _ = try Poll.wait(readable: [signals.descriptor] + (child.map { [$0.pidfd] } ?? []), timeout: Self.poll)
    }
  }

  /// Projections that came by now, and those before the last of them that did not.
  func received() throws -> (came: Int, lost: Int)? {
    if frames == nil { frames = try scan.seriesProgress() }
    guard let frames else { return nil }
    while try !frames.look() {}
    return (frames.count, frames.lost)
  }

  /// Ends the process that takes frames, which makes durable what came.
  func stop() {
    guard let child else { return }
    do {
      try child.signal(SIGTERM)
      if try child.waitForExit(timeout: Self.stopLimit) == nil {
        try child.signal(SIGKILL)
        _ = try child.waitForExit(timeout: .seconds(5))
      }
    } catch { notice("the process that takes frames: \(error)") }
    self.child = nil
  }

  // MARK: The process

  /// Starts it where it does not run and the scan goes on. One that ends again and again is given more and more time.
  private func keep() throws {
    if let child, let status = try child.reap() {
      self.child = nil
      try note(status)
    }
    guard child == nil, failure == nil, .now >= next, try !hasEnded() else { return }
    started = .now
    child = try ChildProcess(
      executable: executable,
      arguments: ["series-intake", scan.outputFolder, "--parent", "\(getpid())", "--program", OwnProgram.build],
      blockedSignals: [SIGINT, SIGTERM])
  }

  private func note(_ status: ExitStatus) throws {
    guard try !hasEnded() else { return }
    failures = .now - started > Self.goodAfter ? 1 : failures + 1
    next = .now + min(Self.pauseMin * (1 << min(failures - 1, 10)), Self.pauseMax)
    let code = if case .exited(let code) = status { code } else { SysExit.software.rawValue }
    if Self.isFinal(code) || failures > Self.failuresMax {
      failure = code
      // It would wait for frames that nobody takes.
      if let runFolder { try RunRequests(runFolder: RunFolder(path: runFolder)).abort(by: "slipring") }
      return
    }
    notice("the process that takes frames from \(scan.input) \(status.words); it is started again")
  }

  /// Whether it would end in the same way again.
  private static func isFinal(_ code: Int32) -> Bool {
    let codes: [SysExit] = [.usage, .data, .noInput, .unavailable, .temporary, .noPermission, .configuration]
    return codes.contains { $0.rawValue == code }
  }

  private func hasEnded() throws -> Bool {
    guard SpoolDescription.isThere(scan.seriesSpool) else { return false }
    return try SpoolDescription.read(scan.seriesSpool).ended != nil
  }

  // MARK: While a run goes on

  func progress(_ status: RunStatus) {
    do {
      try keep()
      isTold = false
    } catch {
      if !isTold { notice("the process that takes frames from \(scan.input): \(error)") }
      isTold = true
    }
  }

  func notice(_ text: String) {}
}
