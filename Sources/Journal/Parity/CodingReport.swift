/// What coding the segments of a journal came to, and what its shards are.
package struct CodingReport: Sendable, Equatable, Codable {
  /// A segment, and what is wrong with it.
  package struct Segment: Sendable, Equatable, Codable {
    /// Its file.
    package var segment: String
    /// What is wrong.
    package var reason: String
  }

  /// A shard that is not there, or not as it was written.
  package struct Fault: Sendable, Equatable, Codable {
    /// Its segment.
    package var segment: String
    /// Which of the pieces it has.
    package var shard: Int
    /// Its folder, or the one that it belongs into.
    package var folder: String
    /// Whether it was written again.
    package var isHealed: Bool
  }

  /// A folder that could not be opened, or failed.
  package struct Failure: Sendable, Equatable, Codable {
    /// The folder.
    package var folder: String
    /// What happened.
    package var reason: String
  }

  /// A file of another journal in a folder of shards: it is left as it is, and counts as nothing.
  package struct Foreign: Sendable, Equatable, Codable {
    /// Its folder.
    package var folder: String
    /// Its name.
    package var name: String
    /// Whose it is: topic, partition and run.
    package var owner: String
  }

  /// Segments of which there are enough shards.
  package var segments = 0
  /// Bytes of records and pages that these hold.
  var byteCount = 0
  /// Segments that were coded this time.
  package var coded = 0
  /// Bytes of these.
  package var codedByteCount = 0
  /// Shards that are missing or damaged, or were.
  package var faults: [Fault] = []
  /// Folders that were left out.
  package var failures: [Failure] = []
  /// Segments that cannot be made from shards: coding failed, or too many are gone.
  package var lost: [Segment] = []
  /// Files of other journals that lie in the folders.
  package var foreign: [Foreign] = []
  /// Whether all was looked at: nobody ended it before.
  var isComplete = false

  /// Whether every segment has all its shards.
  package var isWhole: Bool { isComplete && lost.isEmpty && failures.isEmpty && faults.allSatisfy(\.isHealed) }
}
