import Foundation
import Glibc
import Host

/// Runs the programs of triggers, each with an alarm as JSON on its standard input: for five seconds at most, and where
/// it fails no more than three times. A program is told of one alarm after the other, and none waits for another one,
/// up to eight at a time. Never waits.
final class HookRunner {
  /// What a program is told.
  struct HookOrder: Encodable {
    let run: String
    let trigger: String
    /// `begins` or `ends`.
    let state: String
    let severity: String
    let gauge: String
    let value: Double
    let forecast: Double?
    /// Seconds since 1970.
    let time: Double
    /// The newest image then, by its place in the topic of the images.
    let evidence: UInt64?
    let text: String
  }

  private static let (triesMax, waitingMax, runningMax) = (3, 32, 8)
  private static let (limit, killLimit): (Duration, Duration) = (.seconds(5), .seconds(1))

  private struct Telling {
    let path: String
    let text: String
    let bytes: [UInt8]
    /// The place of the alarm in its topic.
    let number: UInt64
    var tries = 0
  }

  private struct Running {
    let telling: Telling
    let process: ChildProcess
    var deadline: Deadline
    var isKilled = false
  }

  private let start: (String, _ input: Int32) throws -> ChildProcess
  private let noticed: (String) -> Void
  private var waiting: [Telling] = []
  private var running: [Running] = []

  /// `start` starts a program with its standard input; `noticed` hears what is wrong.
  init(start: @escaping (String, _ input: Int32) throws -> ChildProcess, noticed: @escaping (String) -> Void) {
    (self.start, self.noticed) = (start, noticed)
  }

  /// Has a program told of the alarm at place `number` of its topic. Where too many wait the order is given up.
  func add(_ path: String, _ order: HookOrder, number: UInt64) {
    guard waiting.count < Self.waitingMax else {
      return noticed("\(path) is not told of \(order.text): \(Self.waitingMax) others wait")
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(order) else { preconditionFailure("finite numbers and text are JSON") }
    waiting.append(
      Telling(path: path, text: order.text, bytes: Array(data) + [UInt8(ascii: "\n")], number: number))
  }

  /// Whether nothing runs and nothing waits.
  var isIdle: Bool { waiting.isEmpty && running.isEmpty }

  /// The place of the first alarm in its topic of which somebody is still to be told; nil for none.
  var oldest: UInt64? { (waiting + running.map(\.telling)).map(\.number).min() }

  /// Gives up what is left at the end of a run, and says of what nobody may have been told.
  func giveUp() {
    for run in running {
      noticed("\(run.telling.path) was ended while it was told of \(run.telling.text): the run is over")
    }
    for telling in waiting { noticed("\(telling.path) is not told of \(telling.text): the run is over") }
    waiting.removeAll()
    for run in running {
      do {
        try run.process.killGroup()
        _ = try run.process.waitForExit(timeout: Self.killLimit)
      } catch { noticed("a trigger's program is not ended: \(error)") }
    }
    running.removeAll()
  }

  /// Sees to the programs that run, and starts those whose turn it is.
  func turn() {
    var going: [Running] = [], again: [Telling] = []
    for run in running {
      switch look(at: run) {
      case .runs(let run): going.append(run)
      case .ended(nil): break
      case .ended(let failure?):
        if let telling = failed(run.telling, failure) { again.append(telling) }
      }
    }
    (running, waiting) = (going, again + waiting)
    var busy = Set(running.map(\.telling.path)), left: [Telling] = []
    for var telling in waiting {
      guard running.count < Self.runningMax, busy.insert(telling.path).inserted else {
        left.append(telling)
        continue
      }
      telling.tries += 1
      do {
        running.append(Running(telling: telling, process: try begin(telling), deadline: Deadline(after: Self.limit)))
      } catch { if let telling = failed(telling, "\(error)") { left.append(telling) } }
    }
    waiting = left
  }

  private enum State {
    case runs(Running)
    /// With what was wrong; nil for nothing.
    case ended(String?)
  }

  private func look(at run: Running) -> State {
    var run = run
    let late = "did not end within \(Self.limit)"
    do {
      if let ended = try run.process.reap() {
        return .ended(run.isKilled ? late : ended == .exited(0) ? nil : ended.words)
      }
      guard run.deadline.hasPassed else { return .runs(run) }
      guard !run.isKilled else { return .ended(late + ", and cannot be killed") }
      try run.process.killGroup()
      (run.isKilled, run.deadline) = (true, Deadline(after: Self.killLimit))
      return .runs(run)
    } catch { return .ended("\(error)") }
  }

  private func begin(_ telling: Telling) throws -> ChildProcess {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw HostError.system(call: "pipe", subject: telling.path, errno: .current) }
    defer { for end in ends { close(end) } }
    _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
    let bytes = telling.bytes
    // It fits into the pipe, which is empty.
    let written = bytes.withUnsafeBytes { write(ends[1], $0.baseAddress, $0.count) }
    guard written == bytes.count else {
      throw HostError.system(call: "write", subject: "a pipe", errno: .current)
    }
    return try start(telling.path, ends[0])
  }

  /// Says that a program failed; gives what is to be tried again.
  private func failed(_ telling: Telling, _ failure: String) -> Telling? {
    noticed("\(telling.path) \(failure), try \(telling.tries) of \(Self.triesMax)")
    return telling.tries < Self.triesMax ? telling : nil
  }
}
