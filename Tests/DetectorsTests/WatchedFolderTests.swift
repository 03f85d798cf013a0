import Foundation
import Host
import ScanFiles
import Testing

@testable import Detectors

/// Scan after scan of a detector that writes files into a folder: each is taken once, by whoever goes on.
@Suite final class WatchedFolderTests {
  /// Notes in memory, as a file has them.
  private final class Memory: WatchMemory, @unchecked Sendable {
    var bytes: Data?
    func read() throws -> WatchNotes? { try bytes.map { try JSONDecoder().decode(WatchNotes.self, from: $0) } }
    func write(_ notes: WatchNotes) throws { bytes = try JSONEncoder().encode(notes) }
  }

  private let folder: String
  private let memory = Memory()

  init() throws {
    folder = NSTemporaryDirectory() + "watched-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  /// Writes images of one value, with times that rise from `time` on, in seconds since 1970.
  private func write(_ names: [String], rows: Int = 2, value: Float = 7, time: Double) throws {
    for (index, name) in names.enumerated() {
      let path = "\(folder)/\(name)", parent = URL(filePath: path).deletingLastPathComponent().path
      try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
      try [Float](repeating: value, count: rows * 4).withUnsafeBufferPointer {
        try writeTIFF(
          path: path, columns: 4, rows: rows, values: $0, pixels: .uint16(range: 0...65_535), description: "")
      }
      try touch(name, time + Double(index) / 100)
    }
  }

  private func touch(_ name: String, _ time: Double) throws {
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSince1970: time)], ofItemAtPath: "\(folder)/\(name)")
  }

  private func names(_ prefix: String, _ numbers: Range<Int>) -> [String] { numbers.map { "\(prefix)\($0).tif" } }

  private func feed(_ place: DetectorAddress.Place? = nil) throws -> WatchedFolderFeed {
    try WatchedFolderFeed(folder, memory, from: place)
  }

  /// What a feed gives, in words, until so many steps came or nothing comes for longer than it waits between scans.
  private func steps(_ feed: WatchedFolderFeed, atMost count: Int = 1000) throws -> [String] {
    var (steps, empty) = ([String](), 0)
    while empty < 2, steps.count < count {
      let step = try feed.next(timeout: .milliseconds(800))
      if case .nothing = step {} else { empty = 0 }
      switch step {
      case .frame(let header, let image):
        #expect(image.count == feed.format.byteCount)
        let value = image.loadUnaligned(as: UInt16.self)
        steps.append("\(header.number)" + (value == 7 ? "" : "=\(value)"))
      case .series: steps.append("scan \(feed.announcement.sample ?? "?")")
      case .fault(let fault, let detail): steps.append("\(fault.name) \(detail ?? "")")
      case .notice(let notice): steps.append(notice.words)
      case .nothing: empty += 1
      case .held, .other, .end: Issue.record("no such step")
      }
      if steps.last != nil, empty == 1, steps.count == count { break }
    }
    return steps
  }

  @Test func `Scans in folders of their own come one after the other, as they were begun, and once`() throws {
    try write(names("b/p_", 8..<12), time: 1000)
    try write(names("a/p_", 1..<4), rows: 3, time: 2000)
    try "words".write(toFile: "\(folder)/a/readme.txt", atomically: true, encoding: .utf8)
    let first = try feed()
    #expect(try steps(first) == ["scan b", "8", "9", "10", "11", "scan a", "1", "2", "3"])
    #expect(first.format == FrameFormat(rows: 3, columns: 4, pixel: .uint16))
    try first.settle(withLast: true)
    #expect(try steps(try feed()) == [])
    try write(names("c/p_", 0..<2), time: 3000)
    #expect(try steps(try feed()) == ["scan c", "0", "1"])
  }

  @Test func `Folders that were all there at once are taken one after the other, also by a successor`() throws {
    let scans = ["a", "b", "c", "d"]
    for (index, scan) in scans.enumerated() { try write(names("\(scan)/p_", 0..<3), time: 1000 * Double(index + 1)) }
    let first = try feed()
    #expect(try steps(first, atMost: 8) == ["scan a", "0", "1", "2", "scan b", "0", "1", "2"])
    try first.settle(withLast: false)
    let place = DetectorAddress.Place(series: nil, first: 0, next: 2, missing: [])
    #expect(try steps(try feed(place)) == ["2", "scan c", "0", "1", "2", "scan d", "0", "1", "2"])
  }

  @Test func `Files that are written anew under their names are another scan's`() throws {
    try write(names("p_", 0..<12), time: 1000)
    let feed = try feed()
    let all = (0..<12).map(String.init)
    #expect(try steps(feed) == ["scan p"] + all)
    try feed.settle(withLast: true)
    try write(names("p_", 0..<5), value: 9, time: 2000)
    #expect(try steps(feed) == (0..<5).map { "\($0)=9" })
    // The rest of the scan before is known, also to a successor, and the rest of this one is new.
    try feed.settle(withLast: true)
    try write(names("p_", 5..<8), value: 9, time: 2100)
    #expect(try steps(try self.feed()) == (5..<8).map { "\($0)=9" })
  }

  @Test func `A successor passes over what is in the scan that is open, and takes what is missing there`() throws {
    try write(names("s/p_", 0..<10), time: 1000)
    let first = try feed()
    #expect(try steps(first, atMost: 7) == ["scan s", "0", "1", "2", "3", "4", "5"])
    // Frame 3 never came to disk, nor what was given last.
    let place = DetectorAddress.Place(series: nil, first: 0, next: 5, missing: [3..<4])
    #expect(try steps(try feed(place)) == ["3", "5", "6", "7", "8", "9"])
  }

  @Test func `What is noted does not hold the last image where that is the next scan's`() throws {
    try write(names("p_", 0..<3), time: 1000)
    let first = try feed()
    #expect(try steps(first, atMost: 3) == ["scan p", "0", "1"])
    try first.settle(withLast: false)
    #expect(try steps(try feed()) == ["1", "2"])
  }

  @Test func `A file without a number, and one that is cut short, are told and hold nothing up`() throws {
    try write(["overview.tif"] + names("p_", 0..<3), time: 1000)
    let cut = try Data(contentsOf: URL(filePath: "\(folder)/p_1.tif")).prefix(40)
    try cut.write(to: URL(filePath: "\(folder)/p_1.tif"))
    try touch("p_1.tif", 1000)
    let steps = try steps(try feed())
    #expect(
      steps == [
        "overview.tif is left alone: its name has no number that counts images", "scan p", "0",
        "wrong-size p_1.tif is cut short", "2",
      ])
  }

  @Test func `Numbers in names are the last digits of them`() {
    for (name, pattern, number) in [
      ("p_0012.tif", "p_*.tif", 12), ("17.TIFF", "*.TIFF", 17), ("a2_3_raw.tif", "a2_*_raw.tif", 3),
    ] as [(String, String, UInt64)] {
      let parts = WatchedFiles.parts(of: name)
      #expect(parts?.pattern == pattern && parts?.number == number, "\(name)")
    }
    #expect(WatchedFiles.parts(of: "p_1.png") == nil && WatchedFiles.parts(of: "tif") == nil)
    // A time of day is no number of an image.
    #expect(WatchedFiles.parts(of: "p_20261201093000123.tif").map { $0.number == nil } == true)
  }

  @Test func `Files wait in the order of their scans, and of numbers that began anew between the old and the new`() {
    func file(_ name: String, _ number: UInt64, _ modified: Int) -> WatchedFile {
      WatchedFile(
        name: NumberedFiles.Name(folder: "", pattern: name), number: number, path: "\(name)\(number)",
        modified: modified)
    }
    var known = NumberedFiles(NumberedFiles.Name(folder: "", pattern: "a"))
    for number in 0..<30 as Range<UInt64> { known.take(number, modified: Int(number)) }
    #expect(!known.isNew(3, modified: 3) && known.isNew(3, modified: 100) && known.isNew(30, modified: 5))
    let files = [
      file("b", 0, 90), file("a", 0, 100), file("a", 30, 30), file("a", 1, 101), file("a", 31, 102), file("a", 32, 32),
    ]
    let ordered = WatchedFiles.ordered(files, [known.name: known], current: nil)
    #expect(ordered.map(\.path) == ["a30", "a32", "a0", "a1", "a31", "b0"])
  }
}
