import Host
package import ScanFiles
package import Stages

extension SampleRange: ScanValue {
  /// For people.
  package static var form: String { "two values as in 0,0.05 or two percentiles as in P0.1,P99.9" }
  /// `0,0.05` or `P0.1,P99.9`.
  package init?(scanText: String) {
    let words = scanText.split(separator: ",", omittingEmptySubsequences: false)
    guard words.count == 2 else { return nil }
    if words.allSatisfy({ $0.hasPrefix("P") }) {
      let percents = words.compactMap { Double(written: $0.dropFirst()) }
      guard percents.count == 2 else { return nil }
      self = .percentiles(percents[0], percents[1])
    } else {
      let values = words.compactMap { Float($0) }
      guard values.count == 2 else { return nil }
      self = .values(values[0], values[1])
    }
  }
  /// As it is written on the command line.
  package var scanText: String {
    switch self {
    case .values(let low, let high): "\(low),\(high)"
    case .percentiles(let low, let high): "P\(low.scanText),P\(high.scanText)"
    }
  }
}

extension ScanLimit where Value == SampleRange {
  /// The first below the second, and percentiles that there are.
  static var ascending: ScanLimit {
    ScanLimit(form: "\(SampleRange.form), the first below the second") { range in
      switch range {
      case .values(let low, let high):
        low < high && low.isFinite && high.isFinite ? nil : "has to be two finite values, the first below the second"
      case .percentiles(let low, let high):
        low < high && low >= 0 && high <= 100 ? nil : "has to be two of P0…P100, the first below the second"
      }
    }
  }
}

extension OMEZarrVersion: ScanValue {}
