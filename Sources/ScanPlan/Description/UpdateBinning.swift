/// Binning of what updates are made of while the scan runs (`live-binning`).
package enum UpdateBinning: Equatable, Sendable {
  /// The least with which updates keep up with the rate that is expected; a plan has what was found.
  case auto
  /// By squares of 2^K pixels.
  case exponent(Int)

  /// Updates are made of projections as they are.
  package static let none = UpdateBinning.exponent(0)
  /// Slices of updates have at least an eighth of the columns.
  static let exponentMax = 3

  /// The K of squares of 2^K pixels; 0 where it is not found yet.
  var exponent: Int {
    guard case .exponent(let exponent) = self else { return 0 }
    return exponent
  }
}

extension UpdateBinning: ScanValue {
  /// For people.
  package static var form: String { "auto, or K from 0 to \(exponentMax)" }
  /// All of them.
  package static var choices: [String]? { ["auto"] + (0...exponentMax).map { "\($0)" } }
  /// `auto` or a digit.
  package init?(scanText: String) {
    if scanText == "auto" {
      self = .auto
    } else if let exponent = Int(digits: scanText) {
      self = .exponent(exponent)
    } else {
      return nil
    }
  }
  /// As it is written on the command line.
  package var scanText: String {
    switch self {
    case .auto: "auto"
    case .exponent(let exponent): "\(exponent)"
    }
  }
}

extension ScanLimit where Value == UpdateBinning {
  /// As far as slices of updates are wide enough.
  static var binning: ScanLimit {
    ScanLimit(form: UpdateBinning.form) {
      $0.exponent > UpdateBinning.exponentMax ? "is outside 0…\(UpdateBinning.exponentMax)" : nil
    }
  }
}
