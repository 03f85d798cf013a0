package import Detectors
import Glibc

/// Frames of a scan that somebody else takes from the detector, out of the folder to which they are written. They can
/// be had again: a successor goes on right behind the last one that its predecessor published, and nothing is lost.
package final class SpoolFeed: FrameFeed {
  private let reader: SpoolReader
  private let format: FrameFormat
  private var hasEnded = false

  private static let poll: Duration = .milliseconds(5)

  /// The spool in `folder`, which holds images of `format`.
  package init(folder: String, format: FrameFormat) throws {
    reader = try SpoolReader(folder: folder)
    self.format = format
    guard reader.description.format == format else {
      throw SpoolError.damaged(folder, "its images have another shape than its scan")
    }
  }

  /// The number of the scan's first frame was noted when that came.
  package var firstNumber: FrameNumbering.FirstNumber { .exactly(reader.description.firstFrame) }

  package func resume(after number: UInt64, last: UInt64) throws { try reader.pass(through: last) }

  package func next(timeout: Duration) throws -> FeedStep {
    let deadline = ContinuousClock.now + timeout
    repeat {
      if !hasEnded {
        switch try reader.next() {
        case .frame(let header, let image):
          guard header.encoding != .none || image.count == format.byteCount else { return .fault(.size) }
          return .frame(header, image)
        case .damaged: return .fault(.field)
        case .end:
          hasEnded = true
          return .end(nil)
        case .nothing: break
        }
      }
      usleep(UInt32(min(Self.poll, timeout) / .microseconds(1)))
    } while ContinuousClock.now < deadline
    return .nothing
  }
}
