import Foundation
import Host
import Rings
import Testing

@testable import Detectors
@testable import Spools

/// Parts of a scan in a spool: which frames they have, under which numbers, and where they end.
@Suite struct SpoolPartTests {
  private let folder: String

  init() throws {
    folder = NSTemporaryDirectory() + "spool-part-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  private func removeFolder() { try? FileManager.default.removeItem(atPath: folder) }

  /// A frame of the detector whose counter begins at `first`.
  private func header(_ index: UInt64, key: ImageKey? = nil, first: UInt64 = 1000) -> FrameHeader {
    var header = FrameHeader(number: first + index)
    header.key = key
    return header
  }

  /// Writes frames to a new spool, each with its number as its first pixel; `isWhole` closes it.
  private func spool(_ frames: [FrameHeader], isWhole: Bool = true) throws {
    let description = SpoolDescription(
      id: .random(), rows: 1, columns: 4, pixel: .uint16, firstFrame: 1000, series: nil, announced: ScanAnnouncement(),
      began: 1)
    let spool = try SpoolWriter(creating: folder, description)
    for frame in frames {
      let pixels = [UInt16(truncatingIfNeeded: frame.number), 1, 2, 3]
      try pixels.withUnsafeBytes { try spool.append(frame, $0) }
    }
    if isWhole { try spool.markEnd() } else { try spool.flush() }
  }

  private func feed(_ projections: Range<Int>, of all: Int, fields: Int) throws -> SpoolFeed {
    try SpoolFeed(folder: folder, format: FrameFormat(rows: 1, columns: 4, pixel: .uint16)) {
      SpoolPart(projections, of: all, fields: fields, first: $0.firstFrame)
    }
  }

  /// What a feed gives until it ends or has nothing: numbers in the part, and those of the scan's frames behind them.
  private func taken(_ feed: SpoolFeed) throws -> (numbers: [UInt64], frames: [Int], end: UInt64?) {
    var numbers: [UInt64] = [], frames: [Int] = []
    while true {
      switch try feed.next(timeout: .milliseconds(20)) {
      case .frame(let header, let image):
        numbers.append(header.number)
        frames.append(Int(image.load(as: UInt16.self)) - 1000)
      case .end(let count): return (numbers, frames, count)
      case .nothing: return (numbers, frames, nil)
      case .fault, .notice, .series, .other, .held: continue
      }
    }
  }

  @Test func `A part has all fields and its projections, numbered without the others`() throws {
    defer { removeFolder() }
    try spool((0..<23).map { header($0) })
    for (projections, frames) in [
      (0..<5, Array(0..<8)), (5..<10, [0, 1, 2] + Array(8..<13)), (15..<20, [0, 1, 2] + Array(18..<23)),
    ] {
      let part = try taken(feed(projections, of: 20, fields: 3))
      #expect(part.frames == frames && part.numbers == Array(0..<8) && part.end == 8, "\(projections)")
    }
  }

  @Test func `What is lost in a part leaves a gap there and in no other, and the part ends behind it`() throws {
    defer { removeFolder() }
    // Field 1, projection 4, which is the last one of its part, and projection 7 do not come.
    try spool((0..<103).filter { ![1, 7, 10].contains($0) }.map { header($0) }, isWhole: false)
    let first = try taken(feed(0..<5, of: 100, fields: 3))
    #expect(first.numbers == [0, 2, 3, 4, 5, 6] && first.end == 8)
    let second = try taken(feed(5..<10, of: 100, fields: 3))
    #expect(second.numbers == [0, 2, 3, 4, 6, 7] && second.frames == [0, 2, 8, 9, 11, 12] && second.end == 8)
    // Too little came behind it to know that all of it has come.
    let third = try taken(feed(60..<90, of: 100, fields: 3))
    #expect(third.numbers.count == 32 && third.end == nil)
  }

  @Test func `A frame that is late is in its part, and one that comes much too late is not`() throws {
    defer { removeFolder() }
    var frames = (0..<103).map { header($0) }
    let late = frames.remove(at: 6)
    frames.insert(late, at: 60)
    let tooLate = frames.remove(at: 3)
    frames.insert(tooLate, at: 95)
    try spool(frames)
    let part = try taken(feed(0..<5, of: 100, fields: 3))
    #expect(part.frames == [0, 1, 2, 4, 5, 7, 6] && part.numbers == [0, 1, 2, 4, 5, 7, 6] && part.end == 8)
  }

  @Test func `Fields that say what they are belong to every part, wherever they come`() throws {
    defer { removeFolder() }
    // Dark, flat, 10 projections, flat in between, 10 projections, a frame that is marked as invalid, flat at the end.
    var keys: [ImageKey] = [.dark, .flat] + Array(repeating: .projection, count: 10) + [.flat]
    keys += Array(repeating: .projection, count: 10) + [.invalid, .flat]
    try spool(keys.enumerated().map { header(UInt64($0), key: $1) })
    let first = try taken(feed(0..<10, of: 20, fields: 4))
    #expect(first.frames == Array(0..<13) + [23, 24] && first.numbers == Array(0..<15))
    let second = try taken(feed(10..<20, of: 20, fields: 4))
    #expect(second.frames == [0, 1, 12] + Array(13..<25) && second.numbers == Array(0..<15))
    let middle = try taken(feed(8..<12, of: 20, fields: 4))
    #expect(middle.frames == [0, 1, 10, 11, 12, 13, 14, 23, 24] && middle.numbers == Array(0..<9))
  }

  @Test func `A successor goes on behind the last frame that was published`() throws {
    defer { removeFolder() }
    try spool((0..<103).filter { $0 != 14 }.map { header($0) })
    for (last, next) in [(5, 12), (7, 15), (8, 15), (10, 17)] {
      let feed = try feed(6..<16, of: 100, fields: 3)
      try feed.resume(after: UInt64(last) + 1, last: UInt64(last))
      #expect(try taken(feed).frames == (next..<19).filter { $0 != 14 }, "\(last)")
    }
  }

  @Test func `It is known how far a scan is, while it comes and when it has ended`() throws {
    defer { removeFolder() }
    try spool((0..<93).filter { $0 != 7 }.map { header($0) }, isWhole: false)
    let progress = try SpoolProgress(folder: folder, projections: 100, fields: 3, firstFrame: nil)
    #expect(progress.count == 0 && !progress.hasBegun(0..<5))
    #expect(try progress.look())
    #expect(progress.count == 89 && progress.reached == 90 && progress.lost == 1 && !progress.hasEnded)
    #expect(progress.hasBegun(80..<100) && !progress.hasBegun(90..<100) && !progress.hasBegun(4..<5))
    #expect(progress.isOver(4..<5) && !progress.isOver(40..<50))
    var description = progress.description
    description.ended = 2
    try description.write(folder)
    #expect(try progress.look())
    #expect(progress.hasEnded && progress.lost == 11 && progress.isOver(90..<100))
  }

  @Test func `Frames before the scan and behind it are in no part`() throws {
    defer { removeFolder() }
    try spool([header(0, first: 998), header(0, first: 999)] + (0..<13).map { header($0) } + [header(200)])
    let last = try taken(feed(5..<10, of: 10, fields: 3))
    #expect(last.frames == [0, 1, 2] + Array(8..<13) && last.end == 8)
  }
}
