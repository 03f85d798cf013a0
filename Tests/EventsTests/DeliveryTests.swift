import Foundation
import Glibc
import Host
import Synchronization
import TestSupport
import Testing

@testable import Events

@Suite struct DeliveryTests {
  private let folder: TestFolder
  private struct Body: Codable, Sendable { var event: String? }

  init() throws { folder = try TestFolder() }

  /// A sink that does what a test says, and remembers what came.
  private final class FakeSink: EventSink {
    let window: Int
    var problem: String?
    private let taken: @Sendable (EventRecord) -> Void
    private let verdict: (EventRecord, _ attempt: Int) -> SinkAnswer.Verdict?
    private var waiting: [SinkAnswer] = []
    private var attempts: [Int: Int] = [:]

    init(
      window: Int = 4, taken: @escaping @Sendable (EventRecord) -> Void,
      verdict: @escaping (EventRecord, Int) -> SinkAnswer.Verdict?
    ) { (self.window, self.taken, self.verdict) = (window, taken, verdict) }

    func send(_ record: EventRecord, number: Int) -> Bool {
      attempts[number, default: 0] += 1
      guard let verdict = verdict(record, attempts[number] ?? 0) else { return true }
      if case .taken = verdict { taken(record) }
      // The last one is answered first.
      waiting.insert(SinkAnswer(number: number, verdict: verdict), at: 0)
      return true
    }

    func answers(waiting limit: Duration) -> [SinkAnswer] {
      defer { waiting = [] }
      if waiting.isEmpty { usleep(UInt32(limit / .microseconds(10))) }
      return waiting
    }
  }

  private final class Records: Sendable {
    private let all = Mutex<[String]>([])
    func add(_ record: EventRecord) { all.withLock { $0.append("\(record.topic).\(record.sequence)") } }
    var list: [String] { all.withLock { $0 } }
  }

  private func fill(_ count: Int) throws {
    let outbox = try EventOutbox(folder: folder.path, run: "r1")
    for number in 0..<count {
      outbox.append(number == count - 1 ? .runs : .status, Body(event: number == count - 1 ? "ended" : nil))
    }
  }

  private func deliver(
    patience: Duration = .seconds(10), window: Int = 4, _ records: Records,
    verdict: @escaping @Sendable (EventRecord, Int) -> SinkAnswer.Verdict?
  ) throws -> (report: SinkReport, seconds: Double) {
    let start = ContinuousClock.now
    let delivery = SinkDelivery(
      folder: folder.path, number: 0, address: try EventAddress("kafka://h:1/lab"), patience: patience, isOpen: true
    ) { FakeSink(window: window, taken: records.add, verdict: verdict) }
    delivery.end(.now)
    let deadline = Deadline(after: .seconds(30))
    while !delivery.isOver, !deadline.hasPassed { usleep(5000) }
    #expect(delivery.isOver && delivery.stop(within: .seconds(1)))
    return (delivery.report, (ContinuousClock.now - start) / .seconds(1))
  }

  @Test func `Every event goes once, in order, whatever the order of answers`() throws {
    try fill(20)
    let records = Records()
    let (report, _) = try deliver(records) { _, _ in .taken }
    #expect(report.sent == 20 && report.refused == 0 && report.problem == nil)
    #expect(records.list == (0..<19).map { "status.\($0)" } + ["runs.0"])
  }

  @Test func `A refused event is counted and keeps no other back; one that is not taken goes again`() throws {
    try fill(6)
    let records = Records()
    let (report, _) = try deliver(records) { record, attempt in
      switch record.sequence {
      case 1: .refused("too large")
      case 3: attempt < 2 ? .later : .taken
      default: .taken
      }
    }
    #expect(report.sent == 5 && report.refused == 1 && report.problem == "too large")
    #expect(Set(records.list) == ["status.0", "status.2", "status.3", "status.4", "runs.0"])
  }

  @Test func `A successor goes on behind what is settled, and sends nothing less`() throws {
    try fill(10)
    let first = Records(), second = Records()
    // The fourth event gets no answer: behind it nothing is settled.
    let (report, _) = try deliver(patience: .milliseconds(300), first) { record, _ in
      record.sequence == 3 && record.topic == .status ? nil : .taken
    }
    #expect(report.sent == 3 && first.list.count == 6)
    let (after, _) = try deliver(second) { _, _ in .taken }
    #expect(after.sent == 10 && second.list == (3..<9).map { "status.\($0)" } + ["runs.0"])
    // There is nothing left.
    let third = Records()
    #expect(try deliver(third) { _, _ in .taken }.report.sent == 10)
    #expect(third.list.isEmpty)
  }

  @Test func `A sink that takes nothing is waited for no longer than the patience`() throws {
    try fill(3)
    let (report, seconds) = try deliver(patience: .seconds(1), Records()) { _, _ in .later }
    #expect(report.sent == 0 && (0.9...4).contains(seconds), "\(seconds) s")
  }

  @Test func `A cursor of another sink, or a damaged one, begins at the first event`() throws {
    try fill(5)
    for text in [
      #"{"sink":"kafka://other:1/lab","offset":100,"sent":1,"refused":0}"#, "{", "",
      #"{"sink":"kafka://h:1/lab","offset":7,"sent":3,"refused":0}"#,
    ] {
      try text.write(toFile: folder.file("sink-0.json"), atomically: true, encoding: .utf8)
      let records = Records()
      #expect(try deliver(records) { _, _ in .taken }.report.sent == 5, "\(text)")
      #expect(records.list.count == 5)
    }
  }

  @Test func `Damaged lines are counted as refused, once`() throws {
    try fill(2)
    let file = try FileHandle(forWritingTo: URL(filePath: folder.file("outbox.jsonl")))
    try file.seekToEnd()
    try file.write(contentsOf: Data("damage\n".utf8))
    try file.close()
    for _ in 0..<2 {
      let (report, _) = try deliver(Records()) { _, _ in .taken }
      #expect(report.sent == 2 && report.refused == 1)
    }
  }
}
