import Foundation
import Glibc
package import Host

/// What a run has to tell the world, on its way: the supervisor adds to a file and goes on; a process of its own
/// (`EventDelivery`) reads the file and sends. Nothing that happens there reaches the run.
///
/// ```
/// events/              mode 0700
///   outbox.jsonl       a line an event, as it is sent; the supervisor adds to it, nobody changes it
///   sink-0.json        how far the first sink has taken them, and what it refused
///   commands.json      how far commands were read
///   lock               held by the process that delivers
/// ```
///
/// Sequences go on where the last supervision left them; half a line of one that was killed is cut off. Where the disk
/// is full events wait in memory, the first ones; where there are very many, those of the status are left out.
package final class EventOutbox {
  private let run: String
  private let descriptor: Int32
  private var byteCount: Int
  private var next: [EventTopic: Int] = [:]
  /// Lines that there are, or that wait.
  package private(set) var count = 0
  /// Lines that found no room, with their ends.
  private var waiting: [[UInt8]] = []
  /// Events that were not written, because there were too many or nothing could be made of them.
  package private(set) var dropped = 0
  /// In the scores that are there, the last event of the run's topic that they tell of.
  package private(set) var lastSource: UInt64?

  private static let byteCountMax = (status: 256 << 20, all: 320 << 20)
  private static let waitingMax = 256

  /// The name of the folder in a run's folder, and of the file in it.
  package static let folderName = "events"
  static let fileName = "outbox.jsonl"

  /// Opens the outbox of a run in its folder `events`, which is there; makes it where there is none.
  package init(folder: String, run: String) throws(HostError) {
    let path = "\(folder)/\(Self.fileName)"
    self.run = run
    descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
    guard descriptor >= 0 else { throw .system(call: "open", subject: path, errno: .current) }
    byteCount = 0
    // Two supervisions at the same time would give one sequence to two events.
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
      throw .system(call: "flock", subject: path, errno: .current)
    }
    let reader = try OutboxReader(path: path, isDurable: false)
    while let line = try reader.next() {
      count += 1
      guard case .record(let record) = line, record.run == run else { continue }
      next[record.topic] = max(next[record.topic] ?? 0, record.sequence + 1)
      lastSource = record.source ?? lastSource
    }
    byteCount = reader.offset
    guard ftruncate(descriptor, off_t(byteCount)) == 0 else {
      throw .system(call: "ftruncate", subject: path, errno: .current)
    }
  }

  deinit { close(descriptor) }

  /// Adds an event; whether its record is small enough. One that is not is left out.
  @discardableResult
  package func append(_ topic: EventTopic, _ body: some Codable & Sendable) -> Bool {
    let sequence = next[topic] ?? 0
    let envelope = EventEnvelope(
      run: run, topic: topic, sequence: sequence, time: Date.now.timeIntervalSince1970, body: body)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // A value that JSON does not have, as one that is no number.
    guard let text = try? encoder.encode(envelope) else {
      dropped += 1
      return true
    }
    guard text.count <= EventRecord.byteCountMax else { return false }
    let limit = topic == .status ? Self.byteCountMax.status : Self.byteCountMax.all
    guard byteCount + text.count < limit, waiting.count < Self.waitingMax || topic == .runs else {
      dropped += 1
      return true
    }
    next[topic] = sequence + 1
    count += 1
    waiting.append(Array(text) + [UInt8(ascii: "\n")])
    writeWaiting()
    return true
  }

  /// Writes what waits, as far as there is room.
  package func writeWaiting() {
    while let line = waiting.first {
      let count = write(descriptor, line, line.count)
      guard count == line.count else {
        // Half a line is taken back, and written as a whole when there is room.
        if count > 0 { _ = ftruncate(descriptor, off_t(byteCount)) }
        return
      }
      byteCount += count
      waiting.removeFirst()
    }
  }
}
