import ScanFiles
import Tomography

/// What projections are divided by.
package enum FlatFields: String, CaseIterable, Sendable {
  /// The mean of all flat fields.
  case mean
  /// What lies between the flat fields before the scan and those behind it, at each projection's time.
  case interpolate
}

extension FlatFields: ScanValue {}

extension ScanDescription {
  /// Flat fields of a file that are delivered behind its projections: where they are not interpolated, none; where the
  /// file does not say when they were taken, the second half.
  func flatsBehind(_ info: ScanInfo) -> Int {
    flatFields == .mean ? 0 : info.flatsBehind ?? info.flatCount / 2
  }

  /// What contradicts interpolation, which needs the time of each projection, and flats before whole images are
  /// corrected.
  var flatFieldsProblem: String? {
    guard flatFields == .interpolate else { return nil }
    if zingers != nil || paganin != nil {
      return
        "--flat-fields interpolate goes with neither --zingers nor --paganin: these correct projections before the "
        + "last flat fields are there"
    }
    guard !isLive, order != .sequential else { return nil }
    return "--flat-fields interpolate goes with --order sequential: projections are divided by their time"
  }
}
