/// How images go up where the link may be slower than the detector.
package enum UplinkPolicy: String, CaseIterable, Codable, Sendable {
  /// As they are; what the link cannot take waits in the journal.
  case keep
  /// Packed, where that makes them smaller.
  case compress
  /// As they are, and packed while the link does not keep up and a core idles.
  case auto
}
