import ScanPlan

/// The detector of a rehearsal, as in `2048,2448@100`: rows, columns, and frames a second.
package struct RehearsedDetector: Equatable, Sendable {
  /// Rows and columns; nil for those of the scan.
  let shape: DetectorShape?
  /// Frames a second.
  let rate: Double

  static let form = "ROWS,COLUMNS@RATE or @RATE, as in 2048,2448@100"

  /// Reads one; nil where the text is none.
  package init?(_ text: String) {
    let parts = text.split(separator: "@", omittingEmptySubsequences: false)
    guard parts.count == 2, let rate = Double(parts[1]), (1e-3...1e6).contains(rate) else { return nil }
    self.rate = rate
    guard !parts[0].isEmpty else {
      shape = nil
      return
    }
    guard let shape = DetectorShape(String(parts[0])) else { return nil }
    self.shape = shape
  }
}
