import Detectors
import Foundation
import Glibc
import Host
import ScanPlan
import Synchronization

/// Tells a program and an address of what becomes of scans, on a thread of its own: nothing of it delays the server.
///
/// The log of changes is the queue of what is to be told. Who is slower than the scans misses the oldest of what waits,
/// which is counted and said. After a restart it goes on behind the last change that was told.
final class ChangeReporter: Sendable {
  private struct State {
    var isStopping = false
    var untold = 0
    var notices: [String] = []
  }

  private let queue: ScanQueue
  private let program: [String]?
  private let hook: StopHook?
  private let state = Mutex(State())
  private let done = DispatchSemaphore(value: 0)

  /// Changes that may wait.
  private let waitingMax: Int

  private static let (programLimit, hookLimit, period) = (
    Duration.seconds(10), Duration.seconds(5), Duration.milliseconds(100)
  )
  private static let noticesMax = 100
  private static let joinLimit = DispatchTimeInterval.seconds(12)

  /// Begins to tell.
  init(_ queue: ScanQueue, program: [String]?, hook: StopHook?, waitingMax: Int = 256) throws(ScanFailure) {
    (self.queue, self.program, self.hook, self.waitingMax) = (queue, program, hook, waitingMax)
    let told = try JSONFile.read(Told.self, Self.toldPath(queue))?.id
    let first = min(told ?? queue.lastChange, queue.lastChange)
    let thread = Thread { [self] in
      run(ChangeFollower(queue, after: first))
      done.signal()
    }
    thread.name = "changes"
    thread.start()
  }

  /// Changes of which nobody was told.
  var untold: Int { state.withLock { $0.untold } }

  /// What people should know of it, once.
  func takeNotices() -> [String] {
    state.withLock { state in
      defer { state.notices = [] }
      return state.notices
    }
  }

  /// Ends it, after what it is just telling.
  func stop() {
    state.withLock { $0.isStopping = true }
    _ = done.wait(timeout: .now() + Self.joinLimit)
  }

  /// The last change that was told: the content of `told.json`.
  private struct Told: Codable { let id: Int }

  private static func toldPath(_ queue: ScanQueue) -> String { "\(queue.folder)/told.json" }

  private var isStopping: Bool { state.withLock { $0.isStopping } }

  private func run(_ follower: ChangeFollower) {
    var follower = follower, failures = ["program": "", "hook": ""]
    while !isStopping {
      var waiting: [ScanChange] = []
      while case let changes = follower.next(), !changes.isEmpty { waiting += changes.filter(\.isOfState) }
      let excess = max(0, waiting.count - waitingMax)
      if excess > 0 {
        skip(excess, "\(excess) changes of scans are told to nobody: more than \(waitingMax) were waiting")
      }
      for change in waiting.dropFirst(excess) where !isStopping {
        attempt("program", change, &failures) { try tellProgram(change) }
        attempt("hook", change, &failures) { try tellHook(change) }
        do { try JSONFile.write(Told(id: change.id), to: Self.toldPath(queue)) } catch {
          // It is told once more after a restart.
        }
      }
      usleep(UInt32(Self.period / .microseconds(1)))
    }
  }

  /// A failure is said once, until it is another one or none.
  private func attempt(
    _ who: String, _ change: ScanChange, _ failures: inout [String: String], _ body: () throws -> Void
  ) {
    do {
      try body()
      failures[who] = ""
    } catch {
      let words = "\(error)"
      skip(1, failures[who] == words ? nil : "the \(who) could not be told that \(change.words): \(words)")
      failures[who] = words
    }
  }

  private func skip(_ count: Int, _ notice: String?) {
    state.withLock { state in
      state.untold += count
      if let notice, state.notices.count < Self.noticesMax { state.notices.append(notice) }
    }
  }

  private static func json(_ change: ScanChange) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(change))
  }

  private func tellHook(_ change: ScanChange) throws {
    guard let hook else { return }
    _ = try hook.tell(String(decoding: Self.json(change), as: UTF8.self), timeout: Self.hookLimit)
  }

  private func tellProgram(_ change: ScanChange) throws {
    guard let program, let executable = program.first else { return }
    var ends: [Int32] = [-1, -1]
    // No process that is started meanwhile has it: each gets its first three descriptors only.
    guard pipe(&ends) == 0 else { throw HostError.system(call: "pipe", subject: executable, errno: .current) }
    let child: ChildProcess
    do {
      defer { for end in ends { close(end) } }
      // A pipe takes more than the longest change at once.
      let line = try Self.json(change) + [UInt8(ascii: "\n")]
      guard write(ends[1], line, line.count) == line.count else {
        throw HostError.system(call: "write", subject: executable, errno: .current)
      }
      child = try ChildProcess(
        executable: executable, arguments: Array(program.dropFirst()), standardInput: ends[0], standardOutput: 2)
    }
    let deadline = Deadline(after: Self.programLimit)
    while try child.waitForExit(timeout: min(Self.period, deadline.remaining)) == nil {
      guard isStopping || deadline.hasPassed else { continue }
      try child.signal(SIGKILL)
      _ = try child.waitForExit(timeout: .seconds(1))
      throw ScanFailure(.temporary, "\(executable) took longer than \(Self.programLimit)")
    }
    guard let status = try child.reap(), status == .exited(0) else {
      throw ScanFailure(.software, "\(executable) \(try child.reap()?.words ?? "is still there")")
    }
  }
}
