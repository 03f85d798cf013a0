import Detectors
import Journal
import Rings
import Topics

/// Reads a spool from its first frame on, while it is written and after.
final class SpoolReader {
  enum SpoolStep {
    /// A frame, valid until the next step.
    case frame(FrameHeader, UnsafeRawBufferPointer)
    /// Something that is none.
    case damaged
    /// Nothing follows.
    case end
    /// Nothing yet.
    case nothing
  }

  let description: SpoolDescription
  private let history: TopicHistory
  private var position: UInt64 = 0
  /// Since when the next record is there in part; its writer is at it, or died over it and will be followed by another.
  private var partSince: ContinuousClock.Instant?

  private static let partMax: Duration = .seconds(300)

  /// The spool in `folder`, which has a writer or none.
  init(folder: String) throws {
    description = try SpoolDescription.read(folder)
    history = try TopicHistory(folder: SpoolWriter.journal(in: folder), specification: description.ring)
  }

  /// The next frame; never waits.
  func next() throws -> SpoolStep {
    guard let event = try look({ try history.event(at: position) }) else { return .nothing }
    if event.header.kind == .end { return .end }
    position += 1
    guard event.header.kind == .projection, let header = SpoolRecord.decode(event.metadata) else { return .damaged }
    return .frame(header, event.payload)
  }

  /// Passes over all frames up to the one with this number, or where none has it, over all up to the first with a
  /// higher one: a predecessor has taken them.
  func pass(through number: UInt64) throws {
    var (place, isFound, firstHigher) = (position, false, UInt64?.none)
    while let header = try look({ try history.header(at: place) }), header.kind == .projection {
      place += 1
      if header.projection == number {
        isFound = true
        break
      }
      if header.projection > number, firstHigher == nil { firstHigher = place - 1 }
    }
    position = isFound ? place : firstHigher ?? place
  }

  /// What `read` gives; nil where it is not there yet.
  private func look<Found>(_ read: () throws -> Found) throws -> Found? {
    do {
      let found = try read()
      partSince = nil
      return found
    } catch JournalError.absent {
      return nil
    } catch let error as JournalError {
      guard case .damaged = error else { throw error }
      let since = partSince ?? .now
      partSince = since
      guard .now - since < Self.partMax else { throw error }
      return nil
    }
  }
}
