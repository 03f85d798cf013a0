import Events
import Foundation
import Glibc
import Host
import Logging
import RunModel

/// The process that delivers a run's events, through all of its lives. It says on a pipe how far it is, several times a
/// second: a sign of life. One that dies is started again, one that is silent killed first; one that ends with an error
/// has said why, and nothing is sent any more. Nobody waits for it but at the run's end, for a limited time.
final class EventsProcess {
  private let executable: String
  private let folder: RunFolder
  private let faults: FaultOrders
  private let log: Logger
  private var process: ChildProcess?
  /// Where it says how far it is; negative for none.
  private var pipe: Int32 = -1
  private var text: [UInt8] = []
  private var lines: UInt64 = 0
  private var watch = HeartbeatWatch(start: .now)
  private var restartDue: ContinuousClock.Instant?
  private(set) var lives = 0
  /// What it said last; nil before that.
  private(set) var report: EventsReport?
  /// Whether there is no process, and there will be none.
  private(set) var isOver = false

  static let stage = StageName("events")
  private static let limits = HeartbeatWatch.Limits(working: .seconds(15))
  private static let (livesMax, lineByteCountMax) = (1000, 64 << 10)
  private static let delayMax: Duration = .seconds(10)
  private static let (stopLimit, lookPeriod) = (Duration.seconds(3), Duration.milliseconds(20))

  /// A process for the run in `folder`, which is not started yet.
  init(executable: String, folder: RunFolder, log: Logger) throws {
    (self.executable, self.folder, self.log) = (executable, folder, log)
    faults = try FaultOrders()
  }

  deinit { if pipe >= 0 { close(pipe) } }

  /// Starts it, or sees to it: takes what it said, and starts it again where it died. Never waits.
  func look() {
    guard !isOver else { return }
    if process == nil, restartDue ?? .now <= .now { start() }
    read()
    guard let process else { return }
    do {
      if let silence = watch.look(lines == 0 ? .notBegun : .beats(lines), at: .now) {
        log.warning("killed \(Self.stage), which hung", metadata: ["silent": "\(silence / .seconds(1)) s"])
        try process.signal(SIGKILL)
      }
      if let ended = try process.reap() { take(ended) }
    } catch { giveUp("\(error)") }
  }

  /// Waits until it has ended by itself, and has it end where it does not within the limit or `isStopped`.
  func finish(within limit: Duration, isStopped: () -> Bool) {
    let deadline = Deadline(after: limit)
    while !isOver, !deadline.hasPassed, !isStopped() {
      look()
      usleep(UInt32(Self.lookPeriod / .microseconds(1)))
    }
    stop()
  }

  /// Has it end.
  func stop() {
    guard let process, !isOver else { return isOver = true }
    do {
      try process.signal(SIGTERM)
      if try process.waitForExit(timeout: Self.stopLimit) == nil {
        try process.signal(SIGKILL)
        _ = try process.waitForExit(timeout: Self.stopLimit)
      }
    } catch { log.warning("cannot end \(Self.stage)", metadata: ["reason": "\(error)"]) }
    read()
    isOver = true
  }

  private func start() {
    var ends: [Int32] = [-1, -1]
    // No process that is started meanwhile has it: each gets its first three descriptors only.
    guard Glibc.pipe(&ends) == 0 else { return giveUp("\(Errno.current)") }
    defer { close(ends[1]) }
    // This end only: the process waits where nobody reads.
    _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
    if pipe >= 0 { close(pipe) }
    (pipe, text, lines) = (ends[0], [], 0)
    do {
      process = try ChildProcess(
        executable: executable,
        arguments: [
          "event-delivery", "--run-folder", folder.path, "--parent", "\(getpid())", "--program", OwnProgram.build,
        ], environment: faults.environment(of: Self.stage, life: lives), standardOutput: ends[1],
        blockedSignals: [SIGTERM])
    } catch { return giveUp("\(error)") }
    lives += 1
    watch = HeartbeatWatch(limits: Self.limits, start: .now)
    log.info("started \(Self.stage)", metadata: ["pid": "\(process?.pid ?? 0)", "life": "\(lives - 1)"])
  }

  private func take(_ ended: ExitStatus) {
    read()
    process = nil
    log.info("ended \(Self.stage)", metadata: ["status": "\(ended)"])
    guard case .killed = ended, lives < Self.livesMax else { return isOver = true }
    restartDue = .now + min(Self.delayMax, .milliseconds(20 << min(lives, 10)))
  }

  private func giveUp(_ reason: String) {
    log.error("gave \(Self.stage) up", metadata: ["reason": "\(reason)"])
    isOver = true
  }

  /// Takes what it said; of what is no report nothing.
  private func read() {
    guard pipe >= 0 else { return }
    var bytes = [UInt8](repeating: 0, count: 4096)
    while case let count = Glibc.read(pipe, &bytes, bytes.count), count > 0 {
      text += bytes[..<count]
      while let end = text.firstIndex(of: UInt8(ascii: "\n")) {
        if let said = try? JSONDecoder().decode(EventsReport.self, from: Data(text[..<end])) { report = said }
        text.removeSubrange(...end)
        lines += 1
      }
      if text.count > Self.lineByteCountMax { text = [] }
    }
  }
}
