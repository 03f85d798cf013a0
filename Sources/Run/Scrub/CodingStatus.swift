import Host

/// What coding sealed segments of a run's journals came to.
package struct CodingStatus: Codable, Equatable, Sendable {
  /// A device of shards that the run goes on without.
  package struct Lost: Codable, Equatable, Sendable {
    /// Its folder.
    package var folder: String
    /// What happened.
    var reason: String
  }

  /// Shards of a segment that hold its bytes: any so many give it back.
  var data: Int
  /// Shards more: so many devices may be gone.
  var parity: Int
  /// Segments that shards give back.
  package var segments = 0
  /// Bytes of records that these hold.
  var byteCount = 0
  /// Shards that were missing or damaged, and were written again.
  package var healed = 0
  /// Devices that the run goes on without; segments that are coded meanwhile lack their shards.
  package var lost: [Lost] = []
  /// Segments that could not be coded, each with its topic and why; the first ones.
  package var uncoded: [String] = []
  /// Why a journal could not be coded at all the last time; nil where it was.
  var failure: String?

  /// For people; nil where all is well.
  package var words: String? {
    var parts: [String] = []
    if !lost.isEmpty {
      parts.append(
        "without \(counted(lost.count, "device")) of shards, \(lost.map(\.folder).joined(separator: ", ")); of "
          + "\(data + parity) any \(parity) may be gone")
    }
    if let first = uncoded.first {
      parts.append(
        "\(counted(uncoded.count, "segment")) of journals not coded: \(first)"
          + (uncoded.count > 1 ? " and \(uncoded.count - 1) more" : ""))
    }
    if let failure { parts.append(failure) }
    return parts.isEmpty ? nil : parts.joined(separator: "; ")
  }
}
