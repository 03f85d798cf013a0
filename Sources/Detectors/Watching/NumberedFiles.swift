/// Files of a folder whose names differ in their number alone, and which of them were taken. A number that came before
/// is new again where its file was written anew.
struct NumberedFiles: Codable, Equatable, Sendable {
  /// Which files they are.
  struct Name: Codable, Comparable, Hashable, Sendable {
    /// Below the folder that is watched; empty for itself.
    let folder: String
    /// The names, with * for the number.
    let pattern: String

    static func < (first: Name, second: Name) -> Bool {
      (first.folder, first.pattern) < (second.folder, second.pattern)
    }
  }

  let name: Name
  /// Above the highest number that was taken since they began anew.
  private(set) var next: UInt64 = 0
  /// The newest time of a file that was taken, in nanoseconds since 1970; nil before the first.
  private(set) var newest: Int?
  /// What is not newer than this is of numbers that have begun anew since.
  private(set) var floor: Int?
  /// Numbers below `next` that have not come.
  private var missing: Set<UInt64> = []

  /// Files that are missing, of which one may still come.
  private static let missingMax = 1024

  private enum CodingKeys: String, CodingKey { case name, next, newest, floor }

  init(_ name: Name) { self.name = name }

  /// Whether a file with this number and time was not taken.
  func isNew(_ number: UInt64, modified: Int) -> Bool {
    if let floor, modified <= floor { return false }
    return number >= next || missing.contains(number) || modified > newest ?? Int.min
  }

  /// Whether it is one that was missing.
  func isMissing(_ number: UInt64) -> Bool { missing.contains(number) }

  /// Whether a file that is new has a number that came before.
  func isAgain(_ number: UInt64) -> Bool { number < next && !missing.contains(number) }

  /// Takes note of a file.
  mutating func take(_ number: UInt64, modified: Int) {
    if number >= next {
      if newest != nil, number - next <= Self.missingMax { missing.formUnion(next..<number) }
      if missing.count > Self.missingMax { missing = missing.filter { $0 + UInt64(Self.missingMax) > number } }
      next = number + 1
    } else if missing.remove(number) == nil {
      (floor, next, missing) = (newest, number + 1, [])
    }
    newest = max(newest ?? modified, modified)
  }
}

/// What of a watched folder was taken, for whoever goes on.
package struct WatchNotes: Codable, Equatable, Sendable {
  /// The files that are there.
  var files: [NumberedFiles] = []
  /// The subfolder of the scan that is open, or was the last one; nil before the first.
  var folder: String?
}

/// Where the notes of a watched folder are kept.
package protocol WatchMemory: Sendable {
  /// The notes; nil where there are none.
  func read() throws -> WatchNotes?
  /// Keeps them, durably, in place of those that were there.
  func write(_ notes: WatchNotes) throws
}
