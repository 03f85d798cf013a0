package import Detectors
import Glibc

/// Frames of a scan that somebody else takes from the detector, out of the folder to which they are written: all of
/// them, or a part. They can be had again: a successor goes on right behind the last one that its predecessor
/// published, and nothing is lost.
package final class SpoolFeed: FrameFeed {
  private let reader: SpoolReader
  private let format: FrameFormat
  /// Nil for all of the scan.
  private var part: SpoolPart?
  private var hasEnded = false

  private static let poll: Duration = .milliseconds(5)
  /// Frames of other parts that are passed over before somebody may look whether there is something else to do.
  private static let passedMax = 10_000

  /// The spool in `folder`, which holds images of `format`; `part` gives the part that is wanted of it, whose frames
  /// are then counted from 0.
  package init(folder: String, format: FrameFormat, part: ((SpoolDescription) -> SpoolPart)? = nil) throws {
    reader = try SpoolReader(folder: folder)
    self.format = format
    self.part = part.map { $0(reader.description) }
    guard reader.description.format == format else {
      throw SpoolError.damaged(folder, "its images have another shape than its scan")
    }
  }

  /// The number of the scan's first frame was noted when that came.
  package var firstNumber: FrameNumbering.FirstNumber {
    .exactly(part == nil ? reader.description.firstFrame : 0)
  }

  /// A spool holds one scan.
  package var endIsCertain: Bool { true }

  package func resume(after number: UInt64, last: UInt64) throws {
    guard var part else { return try reader.pass(through: last) }
    var whole = part
    try reader.pass(through: last) { header in
      defer { whole.note(header) }
      if case .inside(let number) = whole.place(of: header) { return number }
      return nil
    } passed: {
      part.note($0)
    }
    self.part = part
  }

  package func next(timeout: Duration) throws -> FeedStep {
    let deadline = ContinuousClock.now + timeout
    repeat {
      if !hasEnded, let step = try step() { return step }
      usleep(UInt32(min(Self.poll, timeout) / .microseconds(1)))
    } while ContinuousClock.now < deadline
    return .nothing
  }

  /// What is there now; nil for nothing.
  private func step() throws -> FeedStep? {
    if let step = try passOthers() { return step }
    switch try reader.next() {
    case .frame(var header, let image):
      if let number = takenNumber(header) { header.number = number } else { return .other }
      guard header.encoding != .none || image.count == format.byteCount else { return .fault(.size) }
      return .frame(header, image)
    case .damaged: return .fault(.field)
    case .end: return end()
    case .nothing: return nil
    }
  }

  /// Passes over what is none of the part, as far as that is there.
  private func passOthers() throws -> FeedStep? {
    guard let part else { return nil }
    for _ in 0..<Self.passedMax {
      guard let header = try reader.comingFrame() else { return nil }
      switch part.place(of: header) {
      case .inside: return nil
      case .before: reader.skip()
      case .behind(let distance) where part.isOver(distance): return end()
      case .behind:
        reader.skip()
        return .held
      }
    }
    return .other
  }

  /// The number of a frame that was read; nil for one that is none of the part.
  private func takenNumber(_ header: FrameHeader) -> UInt64? {
    guard part != nil else { return header.number }
    defer { part?.note(header) }
    if case .inside(let number)? = part?.place(of: header) { return number }
    return nil
  }

  /// What has not come of the scan, or of a part of it, is lost: its run knows how many frames that has.
  private func end() -> FeedStep {
    hasEnded = true
    return .end(part?.total ?? .max)
  }
}
