import Foundation
import Glibc
import TestSupport
import Testing

@testable import Events

@Suite struct EventOutboxTests {
  private let folder: TestFolder
  private struct Body: Codable, Sendable {
    var event: String?
    var source: UInt64?
    var text: String?
    var number: Double?
  }

  init() throws { folder = try TestFolder() }

  private var path: String { folder.file("outbox.jsonl") }

  private func records() throws -> [EventRecord?] {
    let reader = try OutboxReader(path: path)
    var found: [EventRecord?] = []
    while let line = try reader.next() {
      if case .record(let record) = line { found.append(record) } else { found.append(nil) }
    }
    return found
  }

  @Test func `Sequences of each topic are dense, also behind a supervision that died in the middle of a line`() throws {
    var outbox: EventOutbox? = try EventOutbox(folder: folder.path, run: "r1")
    for topic in [EventTopic.runs, .status, .status] { #expect(outbox?.append(topic, Body(text: "a")) == true) }
    #expect(outbox?.append(.scores, Body(source: 41)) == true)
    outbox = nil
    let file = try FileHandle(forWritingTo: URL(filePath: path))
    try file.seekToEnd()
    try file.write(contentsOf: Data(#"{"run":"r1","topic":"status","seq"#.utf8))
    try file.close()
    let next = try EventOutbox(folder: folder.path, run: "r1")
    #expect(next.lastSource == 41)
    for topic in [EventTopic.status, .runs] { next.append(topic, Body(event: "ended")) }
    let found = try records().compactMap { $0 }
    #expect(found.map(\.topic) == [.runs, .status, .status, .scores, .status, .runs])
    #expect(found.map(\.sequence) == [0, 0, 1, 0, 2, 1] && found.allSatisfy { $0.run == "r1" })
    #expect(found.map(\.isLast) == [false, false, false, false, false, true])
    var status = stat()
    #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
  }

  @Test func `A record is at most 64 KiB, and one that is larger takes no sequence`() throws {
    let outbox = try EventOutbox(folder: folder.path, run: "r1")
    #expect(!outbox.append(.alarms, Body(text: String(repeating: "a", count: EventRecord.byteCountMax))))
    #expect(outbox.append(.alarms, Body(text: String(repeating: "a", count: EventRecord.byteCountMax - 200))))
    #expect(try records().map { $0?.sequence } == [0] && records().allSatisfy { $0?.text.count ?? 0 <= 65536 })
  }

  @Test func `What is no number is left out and counted`() throws {
    let outbox = try EventOutbox(folder: folder.path, run: "r1")
    outbox.append(.scores, Body(number: .nan))
    outbox.append(.scores, Body(number: 1))
    #expect(try records().map { $0?.sequence } == [0] && outbox.dropped == 1)
  }

  @Test func `Damaged lines are passed over, whatever they hold`() throws {
    let good = #"{"body":{},"run":"r1","sequence":0,"time":1,"topic":"runs"}"#
    let bad = [
      "", "{}", "null", good.dropLast() + "", good.replacing("runs", with: "walks"), good.replacing(":0", with: ":-1"),
      good.replacing("r1", with: "r 1"), good.replacing("r1", with: ""), String(repeating: "x", count: 70_000),
      String(repeating: "y", count: 600_000),
      good.replacing("{}", with: #"{"text":"\#(String(repeating: "z", count: 66_000))"}"#),
    ]
    let lines = bad.flatMap { [$0, good] }
    try (lines.joined(separator: "\n") + "\n").write(toFile: path, atomically: true, encoding: .utf8)
    #expect(try records().map { $0?.sequence } == lines.map { $0 == good ? 0 : nil })
    var noise = SystemRandomNumberGenerator()
    let seed = noise.next()
    var state = seed
    let bytes = (0..<100_000).map { _ -> UInt8 in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return UInt8(truncatingIfNeeded: state >> 33)
    }
    try Data(bytes).write(to: URL(filePath: path))
    #expect(try records().allSatisfy { $0 == nil }, "seed \(seed)")
  }

  @Test func `A reader goes on where it was, and anywhere else at the beginning`() throws {
    let outbox = try EventOutbox(folder: folder.path, run: "r1")
    for _ in 0..<3 { outbox.append(.status, Body(text: "a")) }
    let reader = try OutboxReader(path: path)
    _ = try reader.next()
    let offset = reader.offset
    let next = try OutboxReader(path: path, offset: offset)
    guard case .record(let record)? = try next.next() else { return #expect(Bool(false)) }
    #expect(record.sequence == 1)
    for wrong in [offset - 1, offset + 1, 1 << 40] {
      #expect(try OutboxReader(path: path, offset: wrong).offset == 0)
    }
  }
}
