import Foundation
import Glibc
import Host
import ScanFiles
import Testing

@testable import Detectors

/// The files of one scan, as they appear in a folder.
@Suite final class FolderFeedTests {
  private let folder: String
  private static let format = FrameFormat(rows: 2, columns: 4, pixel: .uint16)

  init() throws {
    folder = NSTemporaryDirectory() + "folder-feed-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  private func path(_ number: Int) -> String { "\(folder)/p_\(number).tif" }

  private func write(_ number: Int) throws {
    try [Float](repeating: Float(number), count: 8).withUnsafeBufferPointer {
      try writeTIFF(
        path: path(number), columns: 4, rows: 2, values: $0, pixels: .uint16(range: 0...65_535), description: "")
    }
  }

  private func feed() -> FolderFeed { FolderFeed(path: folder, format: Self.format, usesNumbers: true) }

  /// The next frame, and the value of its pixels; nil where none comes for `timeout`.
  private func next(_ feed: FolderFeed, within timeout: Duration = .seconds(5)) throws -> (UInt64, UInt16)? {
    guard case .frame(let header, let image) = try feed.next(timeout: timeout) else { return nil }
    return (header.number, image.loadUnaligned(as: UInt16.self))
  }

  @Test func `Files that lie there settle together, and come in their order`() throws {
    let count = 500
    for number in 0..<count { try write(number) }
    let feed = feed(), began = ContinuousClock.now
    for number in 0..<count {
      let frame = try #require(try next(feed))
      #expect(frame == (UInt64(number), UInt16(number)))
    }
    let taken = ContinuousClock.now - began
    // If each were waited for by itself, they would take 100 s.
    #expect(taken < .seconds(20), "\(taken)")
  }

  @Test func `A file that changed a moment ago is waited for, though it lay there for long`() throws {
    for number in 0..<3 { try write(number) }
    let feed = feed()
    #expect(try next(feed)?.0 == 0)
    // It has settled with the first one, and is written anew before it is taken.
    try write(9)
    try #require(rename(path(9), path(1)) == 0)
    #expect(try next(feed, within: .milliseconds(50)) == nil)
    let frame = try #require(try next(feed))
    #expect(frame == (1, 9))
    #expect(try next(feed)?.0 == 2)
  }

  @Test func `What goes away while it is waited for is lost, and the next one comes`() throws {
    for number in 0..<3 { try write(number) }
    let feed = feed()
    #expect(try next(feed)?.0 == 0)
    try FileManager.default.removeItem(atPath: path(1))
    guard case .fault(.field, _) = try feed.next(timeout: .seconds(5)) else {
      Issue.record("a file that is gone is no frame")
      return
    }
    #expect(try next(feed)?.0 == 2)
  }
}
