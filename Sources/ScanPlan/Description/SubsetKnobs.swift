import Host

/// The weight of the penalty of `auto`: a multiple of what the rule gives, `0.5x`, or a value in 1/pixel.
package enum PenaltyWeight: Equatable, Sendable {
  /// So many times what follows from the noise.
  case multiple(Double)
  /// In 1/pixel.
  case fixed(Double)
}

/// How far the grid of `auto` reaches beyond the detector.
package enum GridPadding: Equatable, Sendable {
  /// Where the sample does.
  case auto
  /// Not at all.
  case none
  /// So many pixels at each side.
  case pixels(Int)
}

extension PenaltyWeight: ScanValue {
  /// For people.
  package static var form: String { "a multiple of the rule as in 0.5x, or a weight in 1/pixel as in 2e-4, above 0" }
  /// `0.5x` or a number.
  package init?(scanText: String) {
    guard let number = Double(written: scanText.hasSuffix("x") ? String(scanText.dropLast()) : scanText), number > 0,
      Float(number).isFinite, Float(number) > 0
    else { return nil }
    self = scanText.hasSuffix("x") ? .multiple(number) : .fixed(number)
  }
  /// As it is written on the command line.
  package var scanText: String {
    switch self {
    case .multiple(let factor): "\(factor.scanText)x"
    case .fixed(let weight): weight.scanText
    }
  }
}

extension GridPadding: ScanValue {
  /// The most pixels: the widest detector is not wider.
  private static let pixelsMax = 5000

  /// For people.
  package static var form: String { "auto, none or a number of pixels from 1 to \(pixelsMax)" }
  /// A word or a number.
  package init?(scanText: String) {
    switch scanText {
    case "auto": self = .auto
    case "none": self = .none
    default:
      guard let pixels = Int(written: scanText), (1...Self.pixelsMax).contains(pixels) else { return nil }
      self = .pixels(pixels)
    }
  }
  /// As it is written on the command line.
  package var scanText: String {
    switch self {
    case .auto: "auto"
    case .none: "none"
    case .pixels(let pixels): "\(pixels)"
    }
  }
}
