import Journal
package import Rings

/// What a reader meets where the next event should be.
package enum Arrival {
  /// The event.
  case event(Event)
  /// Events that are lost: salvage gave them up.
  case lost(Range<UInt64>)
}

/// How a topic ends at present.
package enum TopicEnding: Equatable, Sendable {
  /// With an event that others may follow, or with none.
  case open
  /// With an `end`.
  case closed
  /// With an event that salvage gave up, which may have been the `end`.
  case lost
}

/// Where some rows of images are read, one image after the other.
package protocol TopicRows {
  /// The event of any sequence that was published, with some rows of its image, checked; `table` is nil, or what an
  /// earlier call for the same event filled in. Valid until the next call.
  func event(at sequence: UInt64, rows: Range<Int>, table: inout BandTable?) throws -> Event
}

extension TopicReader: TopicRows {}

extension TopicRows {
  /// The same for who looks at an event once, or the range that was given up in its place.
  package func arrival(at sequence: UInt64, rows: Range<Int>) throws -> Arrival {
    var table: BandTable?
    return try arrival { try event(at: sequence, rows: rows, table: &table) }
  }

  /// An event, or the range that was given up in its place.
  func arrival(_ event: () throws -> Event) throws -> Arrival {
    do { return .event(try event()) } catch JournalError.lost(_, let range) { return .lost(range) }
  }
}

extension TopicReader {
  /// The next event, or the range that was given up in its place, behind which the reader then is; nil where none comes
  /// before `timeout`.
  package func arrival(timeout: Duration) throws -> Arrival? {
    do {
      return try next(timeout: timeout).map(Arrival.event)
    } catch JournalError.lost(_, let range) {
      pass(to: range.upperBound)
      return .lost(range)
    }
  }

  /// The event of any sequence that was published, or the range that was given up in its place.
  package func arrival(at sequence: UInt64) throws -> Arrival {
    do { return .event(try event(at: sequence)) } catch JournalError.lost(_, let range) { return .lost(range) }
  }
}

extension TopicWriter {
  /// How the topic ends. To be asked before the first claim.
  package func ending() throws -> TopicEnding {
    do {
      return try lastEvent()?.header.kind == .end ? .closed : .open
    } catch JournalError.lost {
      return .lost
    }
  }

  /// The newest event that was not lost; nil where there is none, or where a topic in memory does not hold it. To be
  /// asked before the first claim.
  package func newestWhole() throws -> (header: EventHeader, metadata: [UInt8])? {
    var end = nextSequence
    // Each turn goes back behind a loss, or ends.
    while end > 0 {
      do {
        return try event(at: end - 1)
      } catch JournalError.lost(_, let range) {
        precondition(range.lowerBound < end, "event \(end - 1) was lost with \(range)")
        end = range.lowerBound
      }
    }
    return nil
  }
}
