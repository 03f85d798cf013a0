import Host

/// How far the rotation axis is tilted in the plane of the detector: it then meets each row elsewhere.
package enum AxisTilt: Equatable, Sendable {
  /// Found from rows near the top and near the bottom.
  case automatic
  /// Given in degrees; above zero where the axis lies farther right in lower rows.
  case degrees(Double)

  /// More is no detector that somebody has aligned.
  static let degreesMax = 5.0
}

extension AxisTilt: ScanValue {
  /// For people.
  package static var form: String { "degrees or auto" }
  /// `auto` or a number.
  package init?(scanText: String) {
    if scanText == "auto" {
      self = .automatic
    } else if let degrees = Double(written: scanText) {
      self = .degrees(degrees)
    } else {
      return nil
    }
  }
  /// As it is written on the command line.
  package var scanText: String {
    switch self {
    case .automatic: "auto"
    case .degrees(let degrees): degrees.scanText
    }
  }
}

extension ScanLimit where Value == AxisTilt {
  /// Small tilts.
  static var small: ScanLimit {
    let words = "-\(AxisTilt.degreesMax.scanText)…\(AxisTilt.degreesMax.scanText) degrees"
    return ScanLimit(form: "\(AxisTilt.form), within \(words)") { tilt in
      if case .degrees(let degrees) = tilt, abs(degrees) > AxisTilt.degreesMax { "is outside \(words)" } else { nil }
    }
  }
}
