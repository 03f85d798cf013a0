import Fabric
import Foundation
import Glibc
import Host
import Run
import ScanPlan

/// A process that makes some granules, and the right to do so.
final class NodeJob {
  let run: NodeRun
  let granules: Range<Int>
  let leases: [FabricLease]
  /// Bytes of memory that it needs.
  let byteCount: Int
  private let child: ChildProcess
  private let began = ContinuousClock.now
  /// Events that it has taken, when that last changed, and whether more are to come.
  private var (cursor, moved) = (UInt64(0), ContinuousClock.now)
  /// The scores that were noted last, and when it is looked for others.
  private var (scores, scoresDue) = ([WorkerScore](), ContinuousClock.now)
  private(set) var needsEdge = true
  /// Since when it has had no room on its disk; nil where it has some.
  private(set) var roomless: ContinuousClock.Instant?
  /// Why it was killed; nil where it was not.
  private(set) var killed: String?

  private static let tailByteCount = 8192
  private static let scoresPeriod: Duration = .milliseconds(500)
  /// A disk with less cannot even take what a run says of itself.
  private static let roomMin = 1 << 20

  /// Starts it with the scan file at `path`; what it says goes to a log beside that.
  init(_ run: NodeRun, _ granules: Range<Int>, _ leases: [FabricLease], byteCount: Int, executable: String) throws {
    (self.run, self.granules, self.leases, self.byteCount) = (run, granules, leases, byteCount)
    let log = Glibc.open(
      Self.log(run, granules), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
    defer { if log >= 0 { close(log) } }
    child = try ChildProcess(
      executable: executable,
      arguments: [
        "node-job", Self.scanFile(run, granules), "--parent", "\(getpid())", "--program", OwnProgram.build,
      ],
      standardOutput: log >= 0 ? log : nil, standardError: log >= 0 ? log : nil, blockedSignals: [SIGINT, SIGTERM])
  }

  static func scanFile(_ run: NodeRun, _ granules: Range<Int>) -> String { run.outputFolder(granules) + ".yaml" }
  private static func log(_ run: NodeRun, _ granules: Range<Int>) -> String { run.outputFolder(granules) + ".log" }

  /// The granules in messages.
  var words: String { Self.words(run, granules) }

  static func words(_ run: NodeRun, _ granules: Range<Int>) -> String {
    let count = granules.count == 1 ? "granule" : "granules"
    let last = granules.count == 1 ? "" : " to \(granules.upperBound - 1)"
    return "\(run.words): \(count) \(granules.lowerBound)\(last)"
  }

  /// How long it has run.
  var seconds: Int { Int((ContinuousClock.now - began) / .seconds(1)) }

  /// How long it has taken no event.
  var idleTime: Duration { .now - moved }

  /// Becomes readable when it ends.
  var descriptor: Int32 { child.pidfd }

  /// How it ended; nil while it runs.
  func reap() throws(HostError) -> ExitStatus? { try child.reap() }

  /// Asks it to end.
  func stop() throws(HostError) { try child.signal(SIGTERM) }

  /// Ends it at once, and all of its stages; what it has taken stays on disk.
  func kill(_ reason: String) throws(HostError) {
    killed = killed ?? reason
    try child.signal(SIGKILL)
  }

  /// Waits for its end.
  func wait(_ limit: Duration) throws(HostError) -> Bool { try child.waitForExit(timeout: limit) != nil }

  /// Its status; nil where it has not begun, or is over.
  private var status: RunStatus? { try? RunFolder(path: run.runFolder(granules)).readStatus().status }

  /// Whether it has scores that its leases do not say, for which these are renewed before it is time. Looks now and
  /// then.
  func hasNewScores() -> Bool {
    guard run.scan.isScored, ContinuousClock.now >= scoresDue else { return false }
    scoresDue = .now + Self.scoresPeriod
    return status?.scores.map { $0 != scores } ?? false
  }

  /// Takes note of the bytes that are free on its disk, and of what its run says of room.
  func noteRoom(_ free: Int) {
    let isFull = free < Self.roomMin || status.map { !$0.withoutRoom.isEmpty } ?? false
    roomless = isFull ? roomless ?? .now : nil
  }

  /// Tells how far it is, and what it saw of its slices, with the next renewal of its leases.
  func note() {
    guard let status else { return }
    scores = status.scores ?? []
    let state: LeaseRecord.State =
      switch status.phase {
      case .scanning: .reading
      case .finalIterations: .sweeping
      case .exporting, .finished, .failed: .writing
      }
    let acquire = status.stages.first { $0.name == "acquire" }, cursor = acquire?.cursor ?? 0
    // Without room on its own disk it takes nothing, whatever there is.
    needsEdge = status.phase == .scanning && acquire?.state != "ended" && status.withoutRoom.isEmpty
    if cursor != self.cursor || !needsEdge { (self.cursor, moved) = (cursor, .now) }
    let rows = run.scan.granules, first = rows[granules.lowerBound].lowerBound
    for (granule, lease) in zip(granules, leases) {
      (lease.record.state, lease.record.cursor, lease.record.of) = (state, cursor, run.scan.events)
      let edge = rows[granule], own = edge.lowerBound - first..<edge.upperBound - first
      lease.record.score = GranuleScore.lowest(
        of: scores, rows: own, run: run.scan.run, granule: granule, edge: edge)
    }
  }

  /// The last thing that it said, for people.
  var lastWords: String? {
    guard let file = FileHandle(forReadingAtPath: Self.log(run, granules)),
      let end = try? file.seekToEnd(),
      (try? file.seek(toOffset: end - min(end, UInt64(Self.tailByteCount)))) != nil,
      let tail = try? file.read(upToCount: Self.tailByteCount)
    else { return nil }
    let line = String(decoding: tail, as: UTF8.self).split(whereSeparator: \.isNewline).last
    return line.map { String($0.trimmingPrefix("slipring: ").trimmingPrefix("error: ").prefix(500)) }
  }
}
