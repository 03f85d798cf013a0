import Host

/// Some of a scan's projections, one behind the other.
package struct ProjectionRange: Equatable, Sendable {
  /// Their numbers in the scan, from 0.
  package let numbers: Range<Int>

  /// Projections as given, at least one.
  package init(_ numbers: Range<Int>) {
    precondition(!numbers.isEmpty && numbers.lowerBound >= 0, "projections \(numbers)")
    self.numbers = numbers
  }
}

extension ProjectionRange: ScanValue {
  /// For people.
  package static var form: String { "FIRST:END, as 0:180 for projections 0 to 179" }
  /// Two numbers and a colon.
  package init?(scanText: String) {
    guard let numbers = Range(scanText: scanText) else { return nil }
    self.numbers = numbers
  }
  /// As it is written on the command line.
  package var scanText: String { numbers.scanText }
}

extension Range<Int> {
  /// Two numbers of things that are counted from 0, and a colon; nil where there is none between them.
  init?(scanText: String) {
    let parts = scanText.split(separator: ":", omittingEmptySubsequences: false).map { Int(written: $0) }
    guard parts.count == 2, let first = parts[0], let end = parts[1], first >= 0, first < end,
      end <= ScanKey.countMax
    else { return nil }
    self = first..<end
  }

  /// The same two numbers.
  var scanText: String { "\(lowerBound):\(upperBound)" }
}
