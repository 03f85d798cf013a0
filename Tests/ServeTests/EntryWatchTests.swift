import Foundation
import TestSupport
import Testing

@testable import Serve

/// Which entries a server looks at, of thousands that are over.
@Suite struct EntryWatchTests {
  private let folder: TestFolder
  private let queue: ScanQueue
  private let start = ContinuousClock.now

  init() throws {
    folder = try TestFolder()
    queue = try ScanQueue(new: folder)
  }

  /// A watch that has seen scans 1 to 3, of which the first two are over.
  private func watch() throws -> EntryWatch {
    for _ in 0..<3 { _ = try queue.addScan() }
    var watch = EntryWatch(queue)
    #expect(try watch.due(start) == [1, 2, 3])
    watch.settle(1)
    watch.settle(2)
    return watch
  }

  @Test func `What is over is looked at when somebody changes it, and until it is over again`() throws {
    var watch = try watch()
    #expect(try watch.due(start) == [3])
    try queue.update(1) { entry in
      entry.state = .removed
      return true
    }
    #expect(try watch.due(start) == [1, 3])
    #expect(try watch.due(start) == [1, 3])
    watch.settle(1)
    #expect(try watch.due(start) == [3])
  }

  @Test func `A new one is seen at once, also within a tick of the clock`() throws {
    var watch = try watch()
    for number in 4..<20 {
      #expect(try queue.addScan() == number)
      #expect(try watch.due(start).last == number)
    }
  }

  @Test func `A new one is seen where the log of changes cannot be written`() throws {
    var watch = try watch()
    try FileManager.default.removeItem(atPath: queue.changes.path)
    try FileManager.default.createDirectory(atPath: queue.changes.path, withIntermediateDirectories: false)
    #expect(try queue.addScan() == 4)
    #expect(try watch.due(start) == [3, 4])
  }

  @Test func `What nobody tells is found when all are looked at`() throws {
    var watch = try watch()
    let path = queue.entryPath(of: 1)
    let text = try String(contentsOfFile: path, encoding: .utf8)
    try text.replacing("waiting", with: "removed").write(toFile: path, atomically: true, encoding: .utf8)
    #expect(try watch.due(start) == [3])
    #expect(try watch.due(start + EntryWatch.allPeriod) == [1, 2, 3])
    try FileManager.default.removeItem(atPath: queue.folder(of: 3))
    watch.settle(1)
    watch.settle(2)
    #expect(try watch.due(start + EntryWatch.allPeriod * 2) == [1, 2])
  }
}
