import Host
package import ScanFiles

extension BeamIntensity: ScanValue {
  /// For people.
  package static var form: String { "a number of counts above 0, or border" }
  /// `border` or a number.
  package init?(scanText: String) {
    if scanText == "border" {
      self = .border
    } else if let value = Double(written: scanText), value > 0, value < 1e30 {
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
  /// How the frames of the file of a live source's fields are mirrored. A detector's images are as it sends them: what
  /// a file says of mirrored frames is said of these too, so its fields are as they are. Of a file that is watched each
  /// says it itself.
  private var fieldFlips: FrameFlips { watchesFile ? selection.flips : .none }

  /// Opens what stands for the fields of a live source; nil where these come with its projections.
  func openFields() throws -> (any ScanReader)? {
    if let fields {
      var selection = ScanSelection()
      selection.flips = fieldFlips
      let reader = try openScan(path: fields, selection: selection)
      return try i0.map { try reader.assuming($0) } ?? reader
    }
    guard isLive, case .value(let value) = i0, let detectorShape else { return nil }
    return AssumedBeamFields(rows: detectorShape.rows, columns: detectorShape.columns, value: value)
  }
}
