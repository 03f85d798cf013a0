import Foundation
import TestSupport
import Testing

@testable import Serve

/// What is known of a server's scans, and how those who follow them hear of it.
@Suite struct CatalogueTests {
  private let folder: TestFolder
  private let queue: ScanQueue

  init() throws {
    folder = try TestFolder()
    queue = try ScanQueue(new: folder)
  }

  @discardableResult
  private func add(_ count: Int = 1) throws -> Int {
    var last = 0
    for _ in 0..<count { last = try queue.addScan() }
    return last
  }

  private func set(_ number: Int, _ state: QueueEntry.EntryState, _ reason: String? = nil) throws {
    try queue.update(number) { entry in
      (entry.state, entry.reason) = (state, reason)
      return true
    }
  }

  @Test func `A record says what an entry does, and how long it took`() throws {
    let number = try add()
    try queue.update(number) { entry in
      (entry.state, entry.begun, entry.ended) = (.finished, 1e9 + 5, 1e9 + 12.5)
      (entry.projections, entry.lost, entry.output) = (60, 1, "/data/scans/wood_000001")
      return true
    }
    let record = try #require(try Catalogue(queue).record(number))
    #expect(record.activity == .finished && record.duration == 7.5 && record.lost == 1)
    #expect(try Catalogue(queue).record(17) == nil)
    #expect(try Catalogue(queue).queued().isEmpty)
  }

  @Test func `The queue is listed in the order in which its scans come`() throws {
    try add(4)
    try queue.move(3, priority: 5)
    try set(2, .running)
    try set(1, .failed, "no")
    #expect(try Catalogue(queue).queued().map(\.number) == [2, 3, 4])
  }

  @Test func `A damaged entry is told, and hides no other`() throws {
    try add(2)
    try Data("{".utf8).write(to: URL(filePath: folder.file("queue/000001/entry.json")))
    let records = try Catalogue(queue).records()
    #expect(records.map(\.state) == [.failed, .waiting])
    #expect(records[0].reason?.contains("damaged") == true)
  }

  @Test func `Of a scan that failed it is told where what there is of it lies`() throws {
    try add()
    let run = queue.runFolder(of: 1)
    for path in [queue.spool(of: 1), run, "\(run)-1"] {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    #expect(try Catalogue(queue).details(1)?.left == [])
    try set(1, .failed, "no")
    #expect(try Catalogue(queue).details(1)?.left == [queue.spool(of: 1), run])
    try queue.retry(1)
    try set(1, .failed, "no")
    #expect(try Catalogue(queue).details(1)?.left == [queue.spool(of: 1), run, "\(run)-1"])
    try FileManager.default.removeItem(atPath: run)
    #expect(try Catalogue(queue).details(1)?.left == [queue.spool(of: 1), "\(run)-1"])
  }

  @Test func `A thousand scans are listed within a second`() throws {
    // As a server writes them, but without waiting for the disk a thousand times.
    let encoder = JSONEncoder()
    for number in 1...1000 {
      let folder = queue.folder(of: number)
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
      var entry = QueueEntry(number: number, source: "camera", sample: "wood", state: .finished, added: 1e9)
      entry.output = "/data/scans/2026-11-30/wood_\(ScanQueue.name(number))"
      try encoder.encode(entry).write(to: URL(filePath: "\(folder)/entry.json"))
    }
    var records: [ScanRecord] = []
    let time = try ContinuousClock().measure { records = try Catalogue(queue).records() }
    #expect(records.map(\.number) == Array(1...1000))
    #expect(time < .seconds(1), "\(time)")
  }

  @Test func `Whoever follows the queue is told each change once, in order, wherever they begin`() throws {
    try add(2)
    var now = ChangeFollower(queue), all = ChangeFollower(queue, after: 0)
    #expect(now.next().isEmpty)
    try set(1, .running)
    try set(1, .failed, "the disk\nis full")
    try queue.move(2, priority: 3)
    let changes = now.next()
    #expect(changes.map(\.id) == [3, 4, 5] && changes.map(\.scan) == [1, 1, 2])
    #expect(changes.map(\.state) == [.running, .failed, .waiting] && changes.map(\.isOfState) == [true, true, false])
    #expect(changes[1].previous == .running && changes[1].reason == "the disk\nis full")
    #expect(now.next().isEmpty)
    #expect(all.next().map(\.id) == [1, 2, 3, 4, 5])
    var resumed = ChangeFollower(queue, after: 3)
    #expect(resumed.next().map(\.id) == [4, 5])
  }

  @Test func `A full log is put aside, and nothing of it is missed`() throws {
    try add()
    var follower = ChangeFollower(queue, after: 0)
    #expect(follower.next().map(\.id) == [1])
    try set(1, .running)
    // What is no change fills it as well as many of them.
    let log = try FileHandle(forWritingTo: URL(filePath: queue.changes.path))
    try log.seekToEnd()
    let text = FileManager.default.contents(atPath: queue.changes.path)
    let last = try #require(text?.split(separator: 10).last)
    for _ in 0..<(5 << 20) / (last.count + 1) { try log.write(contentsOf: last + [10]) }
    try log.close()
    try set(1, .finished)
    #expect(FileManager.default.fileExists(atPath: queue.changes.earlierPath))
    var ids: [Int] = []
    for _ in 0..<20 { ids += follower.next().map(\.id) }
    #expect(Set(ids) == [2, 3] && ids.last == 3)
    #expect(queue.lastChange == 3)
  }

  @Test func `A line that was cut off is taken back, and a change that was never written is made up for`() throws {
    try add(2)
    try set(1, .running)
    let path = queue.changes.path
    let text = try #require(FileManager.default.contents(atPath: path))
    // The process died in the middle of the third line, and before the entry's next change was told.
    try text.dropLast(10).write(to: URL(filePath: path))
    var follower = ChangeFollower(queue, after: 0)
    #expect(follower.next().map(\.id) == [1, 2])
    try queue.mendChanges()
    let mended = follower.next()
    #expect(mended.map(\.id) == [3] && mended.map(\.state) == [.running] && mended[0].previous == .waiting)
    try queue.mendChanges()
    #expect(follower.next().isEmpty)
  }

  @Test func `A log is followed line by line`() throws {
    let path = folder.file("log")
    var follower = LogFollower(path: path)
    #expect(follower.next().isEmpty)
    try Data("one\ntwo\nthr".utf8).write(to: URL(filePath: path))
    #expect(follower.next() == ["one", "two"])
    try Data("one\ntwo\nthree\n".utf8).write(to: URL(filePath: path))
    #expect(follower.next() == ["three"])
  }
}
