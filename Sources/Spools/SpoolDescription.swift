package import Detectors
import Foundation
import Glibc
package import Host
import Rings

/// What is wrong with a spool.
package enum SpoolError: SysExitError, Equatable, Sendable {
  /// It is not as its writer left it.
  case damaged(String, String)

  /// What happened, and where.
  package var description: String {
    switch self {
    case .damaged(let folder, let reason): "the spool \(folder) cannot be read: \(reason)"
    }
  }

  /// The sysexits code.
  package var sysExit: SysExit { .data }
}

/// What is known of the scan in a spool: the content of its `scan.json`, which is replaced when that changes.
package struct SpoolDescription: Codable, Equatable, Sendable {
  /// Whose events its journal holds.
  let id: RunID
  /// Detector rows.
  package let rows: Int
  /// Detector columns.
  package let columns: Int
  /// What a pixel is.
  package let pixel: PixelType
  /// The number of its first frame.
  package let firstFrame: UInt64
  /// Its series, where the detector counts these.
  let series: UInt64?
  /// What was announced of it.
  package let announced: ScanAnnouncement
  /// When its first frame came, in seconds since 1970.
  package let began: Double
  /// When its last one did, and the end was found.
  package var ended: Double?
  /// What ended it.
  package var ending: ScanEnding?
  /// Projections, those that did not come among them; nil as long as that is not known.
  package var projections: Int?
  /// Flat fields.
  package var flats: Int?
  /// Dark fields.
  package var darks: Int?
  /// Frames that did not come.
  package var lost: Int?
  /// Messages that were dropped while it was open, by what was wrong with them.
  var dropped: [String: Int] = [:]

  private static let byteCountMax = 1 << 20

  /// Where it lies in a spool's folder.
  static func path(in folder: String) -> String { "\(folder)/scan.json" }

  /// Whether all of it is known that a reconstruction has to know before its first image.
  package var isPlannable: Bool { projections != nil }

  /// Bytes of an image, unpacked.
  var format: FrameFormat { FrameFormat(rows: rows, columns: columns, pixel: pixel) }

  /// Events as its journal holds them.
  var ring: RingSpecification {
    RingSpecification(
      runID: id, topic: Self.topic, slotCount: min(max(Self.ringByteCount / Self.stride(format), 4), 256),
      payloadCapacity: Self.capacity(format), requiredReaders: 0)
  }

  /// Bytes on disk of so many images at most.
  package static func byteCount(_ format: FrameFormat, frames: Int) -> Int { stride(format) * frames }

  /// A packed image may be somewhat longer than it is unpacked.
  private static func capacity(_ format: FrameFormat) -> Int { format.byteCount + format.byteCount / 64 + 4096 }

  private static func stride(_ format: FrameFormat) -> Int { capacity(format) + 2 * EventHeader.pageByteCount }

  /// No topic of a run has this number.
  private static let topic: UInt32 = 1000
  private static let ringByteCount = 64 << 20

  /// Whether a folder is a spool: it has a description as soon as it has a frame.
  package static func isThere(_ folder: String) -> Bool { access(path(in: folder), F_OK) == 0 }

  /// Whether frames may still come into a spool; not into one that is none, or cannot be read.
  package static func isOpen(_ folder: String) -> Bool {
    guard isThere(folder) else { return false }
    do throws(SpoolError) { return try read(folder).ended == nil } catch { return false }
  }

  /// Reads that of a spool.
  package static func read(_ folder: String) throws(SpoolError) -> SpoolDescription {
    let description: SpoolDescription
    do {
      let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path(in: folder)))
      description = try JSONDecoder().decode(Self.self, from: file.read(upToCount: byteCountMax) ?? Data())
    } catch {
      throw .damaged(folder, "scan.json: \(error.localizedDescription)")
    }
    guard edges.contains(description.rows), edges.contains(description.columns) else {
      throw .damaged(folder, "scan.json: \(description.rows) × \(description.columns) pixels")
    }
    return description
  }

  private static let edges = 1...65_536

  /// Writes it, in place of what was there.
  func write(_ folder: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try writeFileAtomically(path: Self.path(in: folder), bytes: Array(encoder.encode(self)))
  }
}
