package import ScanFiles

extension BeamIntensity: ScanValue {
  /// For people.
  package static var form: String { "a number of counts above 0, or border" }
  /// `border` or a number.
  package init?(scanText: String) {
    if scanText == "border" {
      self = .border
    } else if let value = Double(scanText), value > 0, value < 1e30 {
      self = .value(value)
    } else {
      return nil
    }
  }
  /// As it is written on the command line.
  package var scanText: String {
    switch self {
    case .value(let value): value.scanText
    case .border: "border"
    }
  }
}

extension ScanDescription {
  /// Opens what stands for the fields of a live source; nil where these come with its projections.
  func openFields() throws -> (any ScanReader)? {
    if let fields {
      let reader = try openScan(path: fields)
      return try i0.map { try reader.assuming($0) } ?? reader
    }
    guard isLive, case .value(let value) = i0, let detectorShape else { return nil }
    return AssumedBeamFields(rows: detectorShape.rows, columns: detectorShape.columns, value: value)
  }
}
