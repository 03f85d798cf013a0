import Host

/// How much of the disk a server's scans may take, and for how long.
package struct DiskLimits: Equatable, Sendable {
  /// The keys of `serve.yaml` that say so.
  package enum LimitKey: String, CaseIterable, Codable, Sendable {
    /// Bytes that are to be free.
    case freeAtLeast = "free-at-least"
    /// How long run folders of finished scans stay.
    case keep
    /// How long volumes stay.
    case keepVolumes = "keep-volumes"
    /// How much all volumes may take.
    case volumesAtMost = "volumes-at-most"
    /// How long what scans acquired stays that failed or were removed.
    case keepFailed = "keep-failed"
  }

  /// Bytes that are to be free, and that volumes may take; nil for no such limit.
  private(set) var (freeAtLeast, volumesAtMost): (Int?, Int?)
  /// Seconds that run folders of finished scans stay, their volumes, and what failed or removed scans acquired; nil for
  /// ever.
  private(set) var (keep, keepVolumes, keepFailed): (Double?, Double?, Double?)

  private static let units: [Character: Double] = ["G": 0x1p30, "T": 0x1p40]
  private static let byteCountMax = 1e18

  /// No limits.
  init() {}

  /// Takes what the file says; gives what is wrong with it, nil for nothing.
  mutating func read(_ key: LimitKey, _ text: String) -> String? {
    switch key {
    case .freeAtLeast:
      guard let gibibytes = Double(written: text), (0...1e6).contains(gibibytes) else {
        return "\(key.rawValue) is a number of GiB"
      }
      freeAtLeast = Int(gibibytes * 0x1p30)
    case .volumesAtMost:
      guard let unit = text.last.flatMap({ Self.units[$0] }), let number = Double(written: text.dropLast()),
        number > 0, number * unit <= Self.byteCountMax
      else { return "\(key.rawValue) is a number of GiB or TiB: 500G, 2T" }
      volumesAtMost = Int(number * unit)
    case .keep, .keepVolumes, .keepFailed:
      guard let match = text.wholeMatch(of: /([0-9]{1,5})d/), let days = Double(match.1) else {
        return "\(key.rawValue) is a number of days: 30d"
      }
      switch key {
      case .keepVolumes: keepVolumes = days * 86_400
      case .keepFailed: keepFailed = days * 86_400
      default: keep = days * 86_400
      }
    }
    return nil
  }

  /// Whether anything but run folders of finished scans may be removed.
  var clearsScans: Bool { keepVolumes != nil || volumesAtMost != nil || keepFailed != nil }
}

/// That what a scan left on disk was removed, as a key of `serve.yaml` asks for: the volume of a finished one, else
/// what was acquired of it.
package struct ScanClearing: Codable, Equatable, Sendable {
  /// The key.
  package let by: DiskLimits.LimitKey
  /// When, in seconds since 1970.
  package let time: Double
}
