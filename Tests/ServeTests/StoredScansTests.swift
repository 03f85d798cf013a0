import Foundation
import Glibc
import TestSupport
import Testing

@testable import Serve

/// What scans leave on disk, and what of it goes when it has had its time: nothing else, whatever happens.
@Suite struct StoredScansTests {
  private let folder: TestFolder
  private let queue: ScanQueue

  init() throws {
    folder = try TestFolder()
    queue = ScanQueue(folder: folder.path)
    try queue.create()
  }

  private func limits(_ keys: [(DiskLimits.LimitKey, String)]) -> DiskLimits {
    var limits = DiskLimits()
    for (key, text) in keys { #expect(limits.read(key, text) == nil, "\(key) \(text)") }
    return limits
  }

  /// Writes an entry as it lies on disk, and for a finished one a volume of so many bytes.
  private func write(
    _ number: Int, _ state: QueueEntry.EntryState, ended: Double, byteCount: Int = 0, cleared: ScanClearing? = nil
  ) throws {
    var entry = QueueEntry(number: number, source: "camera", state: state, added: ended)
    (entry.ended, entry.output, entry.cleared) = (ended, "\(queue.volumes)/s\(number)", cleared)
    let place = queue.folder(of: number)
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
    try JSONEncoder().encode(entry).write(to: URL(filePath: "\(place)/entry.json"))
    guard state == .finished else {
      try FileManager.default.createDirectory(atPath: queue.runFolder(of: number), withIntermediateDirectories: true)
      return
    }
    let volume = "\(queue.volumes)/s\(number)/rec.h5"
    try FileManager.default.createDirectory(atPath: "\(queue.volumes)/s\(number)", withIntermediateDirectories: true)
    try Data(count: byteCount).write(to: URL(filePath: volume))
    let outcome = """
      {"exitCode": 0, "notices": [], "result": \(Self.result(outputs: [volume]))}
      """
    try Data(outcome.utf8).write(to: URL(filePath: JobOutcome.path(in: place)))
  }

  /// The least that a result of a run is.
  private static func result(outputs: [String]) -> String {
    """
    {"run": "", "rotationAxis": 0, "axisTilt": 0, "fieldOfView": "full", "columns": 1, "projections": 1, "updates": 1,
     "seconds": 1, "secondsWithoutRoom": 0, "projectionsPerSecond": 1, "lost": 0, "lostFields": 0, "duplicates": 0,
     "emptyProjections": 0, "emptyFlats": 0, "emptyFrames": [], "droppedMessages": {}, "clampedPixels": 0,
     "deadPixels": 0, "restarts": {}, "memory": {}, "inputNotices": [], "stoppedBy": "", "missingRows": [],
     "outputs": [\(outputs.map { "\"\($0)\"" }.joined(separator: ","))]}
    """
  }

  @Test func `Days and sizes are read, and mistakes are told`() {
    let read = limits([
      (.keep, "30d"), (.keepVolumes, "0d"), (.keepFailed, "7d"), (.volumesAtMost, "1.5T"), (.freeAtLeast, "2"),
    ])
    #expect(read.keep == 2_592_000 && read.keepVolumes == 0 && read.keepFailed == 604_800)
    #expect(read.volumesAtMost == 3 << 39 && read.freeAtLeast == 2 << 30)
    var other = DiskLimits()
    for (key, text) in [
      (DiskLimits.LimitKey.keepVolumes, "30"), (.keepFailed, "d"), (.volumesAtMost, "2"), (.volumesAtMost, "-1T"),
      (.volumesAtMost, "nanG"), (.volumesAtMost, "9999999999T"), (.freeAtLeast, "much"),
    ] {
      #expect(other.read(key, text)?.hasPrefix(key.rawValue) == true, "\(key) \(text)")
    }
    #expect(other == DiskLimits() && !other.clearsScans && read.clearsScans)
  }

  @Test func `The oldest volumes go first, the newest never, and nothing that is not over`() throws {
    for number in 1...6 { try write(number, .finished, ended: Double(100 - number), byteCount: 1000) }
    try write(7, .failed, ended: 10)
    try write(8, .removed, ended: 200)
    try write(9, .running, ended: 1)
    try write(10, .receiving, ended: 1)
    var stored = StoredScans()
    try stored.look(queue, measures: true)
    #expect(stored.scans.count == 9)
    func due(_ keys: [(DiskLimits.LimitKey, String)], now: Double = 1000) -> [Int] {
      stored.due(limits(keys), now: now).map(\.number)
    }
    #expect(due([]).isEmpty)
    #expect(due([(.keepVolumes, "0d")]) == [6, 5, 4, 3, 2])
    #expect(due([(.keepVolumes, "0d")], now: 96.5) == [6, 5, 4])
    #expect(due([(.keepFailed, "0d")], now: 100) == [7])
    #expect(due([(.keepFailed, "0d"), (.keepVolumes, "1d")]) == [7, 8])
    let gibibytes = { (bytes: Int) in "\(Double(bytes) * 0x1p-30)G" }
    #expect(due([(.volumesAtMost, gibibytes(3500))]) == [6, 5, 4])
    #expect(due([(.volumesAtMost, gibibytes(6000))]).isEmpty)
    #expect(due([(.volumesAtMost, gibibytes(1))]) == [6, 5, 4, 3, 2])
    #expect(due([(.keepVolumes, "0d"), (.volumesAtMost, gibibytes(3500))], now: 95.5) == [6, 5, 4])
    // While not all are measured nothing goes for its size.
    var unmeasured = StoredScans()
    try unmeasured.look(queue, measures: false)
    #expect(unmeasured.due(limits([(.volumesAtMost, gibibytes(1))]), now: 1000).isEmpty)
  }

  @Test func `What was begun before a power cut is brought to its end, and what is gone is not touched again`() throws {
    for number in 1...3 { try write(number, .finished, ended: Double(number), byteCount: 10) }
    try write(
      2, .finished, ended: 2, byteCount: 10, cleared: ScanClearing(by: .keepVolumes, time: 5))
    var stored = StoredScans()
    try stored.look(queue, measures: true)
    #expect(stored.due(limits([(.keepFailed, "9d")]), now: 10) == [.init(number: 2, by: .keepVolumes)])
    try FileManager.default.removeItem(atPath: "\(queue.volumes)/s2/rec.h5")
    stored.forget(2)
    try stored.look(queue, measures: true)
    #expect(stored.due(limits([(.keepFailed, "9d")]), now: 10).isEmpty)
  }

  @Test func `Only what changed is read again of thousands of scans`() throws {
    let count = 3000
    for number in 1...count { try write(number, .finished, ended: Double(number), byteCount: 1) }
    var stored = StoredScans()
    let began = ContinuousClock.now
    try stored.look(queue, measures: false)
    let first = ContinuousClock.now - began
    try stored.look(queue, measures: false)
    let second = ContinuousClock.now - began - first
    print("\(count) scans: \(first) to read, \(second) to look again")
    // An entry whose stamp is the one that was seen is not opened: this one could not be read.
    let path = queue.entryPath(of: 17)
    #expect(chmod(path, 0) == 0)
    try stored.look(queue, measures: false)
    #expect(stored.scans.count == count)
    var passes = 0
    repeat {
      passes += 1
      try stored.look(queue, measures: true)
    } while stored.scans.values.contains { $0.size == nil } && passes < 1000
    #expect(stored.scans.values.allSatisfy { $0.size == .init(volume: 1) })
  }

  @Test func `Nothing outside of a folder is removed, and no link is followed`() throws {
    let outside = folder.file("outside")
    let tree = OwnTree(root: queue.volumes)
    let manager = FileManager.default
    try manager.createDirectory(atPath: outside, withIntermediateDirectories: true)
    try Data("precious".utf8).write(to: URL(filePath: outside + "/file"))
    try manager.createDirectory(atPath: "\(queue.volumes)/a/b/c", withIntermediateDirectories: true)
    try Data("x".utf8).write(to: URL(filePath: "\(queue.volumes)/a/b/c/d"))
    try manager.createSymbolicLink(atPath: "\(queue.volumes)/a/link", withDestinationPath: outside)
    try manager.createSymbolicLink(atPath: "\(queue.volumes)/link", withDestinationPath: outside)
    for path in [
      outside, queue.volumes, "\(queue.volumes)/", "\(queue.volumes)/../outside/file", "\(queue.volumes)/link/file",
      "\(queue.volumes)/a/./b", "relative",
    ] {
      #expect(throws: OwnTree.Refusal.self, "\(path)") { try tree.remove(path) }
      #expect(throws: OwnTree.Refusal.self, "\(path)") { try tree.check(path) }
    }
    #expect(throws: OwnTree.Refusal.self) {
      try OwnTree(root: "\(queue.volumes)/link").remove("\(queue.volumes)/link/file")
    }
    try tree.removeIfEmpty("\(queue.volumes)/a")
    #expect(access("\(queue.volumes)/a/b/c/d", F_OK) == 0)
    try tree.remove("\(queue.volumes)/a")
    try tree.remove("\(queue.volumes)/a")
    try tree.remove("\(queue.volumes)/none/at/all")
    try tree.remove("\(queue.volumes)/link")
    #expect(try folder.names(in: "scans").isEmpty)
    #expect(try String(contentsOfFile: outside + "/file", encoding: .utf8) == "precious")
  }
}
