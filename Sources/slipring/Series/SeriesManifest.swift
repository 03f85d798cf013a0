import Foundation
import Glibc
import Host
import Run
import ScanPlan

/// What is to be made of a series, and what is there of it: the content of its `series.json`.
struct SeriesManifest: Codable {
  /// What came of one part.
  struct Volume: Codable {
    /// Its projections, as the scan numbers them.
    let firstProjection: Int
    let projections: Int
    /// Nil where no frame of it came.
    let result: RunResult?
    /// Why it is not there, where its projections show nothing or did not come; nil where it is.
    var failure: String?
  }

  /// What came of all.
  struct SeriesResult: Codable {
    /// The rotation axis of all volumes, in pixels from the detector's left edge; nil as long as a live scan has not
    /// shown it.
    var rotationAxis: Double?
    /// Projections at the end that make no volume.
    var left: Int
    /// Volumes that are to be made.
    var expected: Int?
    var volumes: [Volume] = []
    /// Projections of a live scan that came, and those that did not, up to the last one that came.
    var received: Int?
    var lost: Int?
    /// Files with all volumes.
    var outputs: [String] = []
  }

  var scan: [String: String]
  /// Size and time of each of its files; empty for a live scan.
  var input: [[Int]]
  var result: SeriesResult

  private static let byteCountMax = 64 << 20

  /// Where it lies in a series' folder.
  static func path(in folder: String) -> String { "\(folder)/series.json" }

  /// Whether there is one.
  static func isThere(_ folder: String) -> Bool { access(path(in: folder), F_OK) == 0 }

  /// The lock of whoever makes it.
  static func lock(in folder: String) -> String { "\(folder)/series.lock" }

  /// Who makes it, as "process 1234"; nil where nobody does.
  static func maker(of folder: String) throws -> String? { try LockFile.holder(path: lock(in: folder)) }

  /// Writes it, in place of what was there.
  func save(_ folder: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try writeFileAtomically(path: Self.path(in: folder), bytes: Array(encoder.encode(self)))
  }

  /// Reads that of a folder.
  static func read(_ folder: String) throws(ScanFailure) -> SeriesManifest {
    let path = path(in: folder)
    let failure = ScanFailure(
      .cannotCreate, "\(path) does not hold what a series writes there; choose another --output-folder")
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= byteCountMax,
      let data = FileManager.default.contents(atPath: path)
    else { throw failure }
    do { return try JSONDecoder().decode(Self.self, from: data) } catch { throw failure }
  }

  /// The scan whose series it is.
  var description: ScanDescription {
    get throws(ScanFailure) {
      var scan = try ScanDescription(words: scan)
      try scan.makePathsAbsolute()
      try scan.validate()
      return scan
    }
  }
}
