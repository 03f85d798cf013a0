import Host

/// What reading the journals again came to while the run goes on.
package struct ScrubStatus: Codable, Equatable, Sendable {
  /// How often all of them were read.
  package var passes = 0
  /// Segments that were read, each of two copies by itself.
  var segments = 0
  /// Bytes of records that were read.
  package var byteCount = 0
  /// What was found damaged, each place once.
  package var found = 0
  /// How much of that was written again from the other copy.
  package var mended = 0
  /// The last of what was found, as people are told of it.
  var findings: [String] = []
  /// Why a journal could not be read again the last time; nil where it was.
  package var failure: String?

  /// Nothing yet.
  init() {}

  /// For people; nil where nothing was found.
  package var words: String? {
    guard found > 0 else { return nil }
    let left = found - mended
    return "\(counted(found, "place")) of the journals damaged on disk, "
      + (left == 0 ? "all written again from the other copy" : "\(left) of them not mended")
  }
}
