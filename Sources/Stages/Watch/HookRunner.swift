import Foundation
import Glibc
import Host

/// Runs the programs of triggers, one after the other, each with an alarm as JSON on its standard input: for five
/// seconds at most, and where it fails no more than three times. Never waits.
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

  private static let (triesMax, waitingMax) = (3, 32)
  private static let limit: Duration = .seconds(5)

  private let start: (String, _ input: Int32) throws -> ChildProcess
  private let noticed: (String) -> Void
  private var waiting: [(path: String, text: String, bytes: [UInt8], tries: Int)] = []
  private var running: (process: ChildProcess, deadline: Deadline)?

  /// `start` starts a program with its standard input; `noticed` hears what is wrong.
  init(start: @escaping (String, _ input: Int32) throws -> ChildProcess, noticed: @escaping (String) -> Void) {
    (self.start, self.noticed) = (start, noticed)
  }

  /// Has a program told. Where too many wait the order is given up.
  func add(_ path: String, _ order: HookOrder) {
    guard waiting.count < Self.waitingMax else { return noticed("\(path) is not told of \(order.text): others wait") }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(order) else { preconditionFailure("finite numbers and text are JSON") }
    waiting.append((path, order.text, Array(data) + [UInt8(ascii: "\n")], 0))
  }

  /// Whether nothing runs and nothing waits.
  var isIdle: Bool { waiting.isEmpty }

  /// Gives up what is left at the end of a run, and says of what nobody may have been told.
  func giveUp() {
    for (index, order) in waiting.enumerated() {
      let isRunning = index == 0 && running != nil
      noticed("\(order.path) \(isRunning ? "was ended while it was" : "is not") told of \(order.text): the run is over")
    }
    waiting.removeAll()
    defer { running = nil }
    do {
      try running?.process.killGroup()
      _ = try running?.process.waitForExit(timeout: .seconds(1))
    } catch { noticed("a trigger's program is not ended: \(error)") }
  }

  /// Sees to the program that runs, and starts the next one.
  func turn() {
    if let (process, deadline) = running {
      do {
        if let ended = try process.reap() {
          take(ended == .exited(0) ? nil : ended.words)
        } else if deadline.hasPassed {
          try process.killGroup()
          _ = try process.waitForExit(timeout: .seconds(1))
          take("did not end within \(Self.limit)")
        }
      } catch { take("\(error)") }
    }
    guard running == nil, !waiting.isEmpty else { return }
    waiting[0].tries += 1
    do { running = (try begin(), Deadline(after: Self.limit)) } catch { take("\(error)") }
  }

  private func begin() throws -> ChildProcess {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else {
      throw HostError.system(call: "pipe", subject: waiting[0].path, errno: .current)
    }
    defer { for end in ends { close(end) } }
    _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
    let bytes = waiting[0].bytes
    // It fits into the pipe, which is empty.
    let written = bytes.withUnsafeBytes { write(ends[1], $0.baseAddress, $0.count) }
    guard written == bytes.count else {
      throw HostError.system(call: "write", subject: "a pipe", errno: .current)
    }
    return try start(waiting[0].path, ends[0])
  }

  /// Takes note of how a program ended; nil where it did what it should.
  private func take(_ failure: String?) {
    running = nil
    guard let first = waiting.first else { return }
    guard let failure else { return _ = waiting.removeFirst() }
    let isLast = first.tries >= Self.triesMax
    noticed("\(first.path) \(failure), try \(first.tries) of \(Self.triesMax)")
    if isLast { waiting.removeFirst() }
  }
}
