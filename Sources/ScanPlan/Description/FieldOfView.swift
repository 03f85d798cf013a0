/// What of the sample a slice holds.
package enum FieldOfView: String, CaseIterable, Sendable {
  /// As many columns as the detector has.
  case full
  /// Half acquisition: the axis lies near an edge of the detector, and what it misses at one angle it measures half a
  /// turn later. A slice reaches as far from the axis as the detector does.
  case half
  /// Half where the scan file says so, or a turn was measured around an axis in the outer part of the detector.
  case auto
}

extension FieldOfView: ScanValue {}
