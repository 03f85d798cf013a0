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
  /// The number of the next record.
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

  /// What the next frame says of itself, which stays the next one; its image is not read, so it may still turn out to
  /// be damaged. Nil where none is there yet, or the next record is none.
  func comingFrame() throws -> FrameHeader? { try coming()?.frame }

  /// The same: nil where no frame is there, and without it where it does not say what it is.
  func coming() throws -> (frame: FrameHeader?, Void)? {
    guard let (header, metadata) = try look({ try history.beginning(at: position) }), header.kind == .projection
    else { return nil }
    return (SpoolRecord.decode(metadata), ())
  }

  /// Passes over the next record without reading its image.
  func skip() { position += 1 }

  /// Passes over all frames up to the one with this number, or where none has it, over all up to the first with a
  /// higher one: a predecessor has taken them. `number` gives the number that a frame has, nil for one that is not
  /// looked at; `passed` hears of those that are passed over.
  func pass(
    through last: UInt64, number: (FrameHeader) -> UInt64? = { $0.number }, passed: (FrameHeader) -> Void = { _ in }
  ) throws {
    let start = position
    var (isFound, firstHigher) = (false, UInt64?.none)
    while !isFound, let coming = try coming() {
      let place = position, found = coming.frame.flatMap(number)
      skip()
      isFound = found == last
      if let found, found > last, firstHigher == nil { firstHigher = place }
    }
    let end = isFound ? position : firstHigher ?? position
    position = start
    while position < end, let coming = try coming() {
      coming.frame.map(passed)
      skip()
    }
    position = end
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
