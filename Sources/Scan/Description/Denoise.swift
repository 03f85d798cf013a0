public import Tomography

/// What is done to the finished volume: `none`, or a method with its strength as in `tv`, `nlm:0.5` or `median:2`.
public struct Denoise: ScanValue {
  /// The method; nil for none.
  public let method: Denoising?

  /// Nothing.
  public static let none = Denoise(nil)

  /// A method as given.
  public init(_ method: Denoising?) { self.method = method }

  /// For people.
  public static var form: String { "none, tv, nlm or median, with a strength from 0.01 to 100 as in tv:0.5 or a radius as in median:2" }

  /// `none`, `tv`, `nlm` or `median`; behind a colon the strength, or the median's radius, otherwise 1.
  public init?(scanText: String) {
    let words = scanText.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let strength = words.count == 2 ? Float(words[1]) : 1
    guard let strength, Denoising.strengths.contains(strength) else { return nil }
    switch words[0] {
    case "none" where words.count == 1: self = .none
    case "tv": self.init(.totalVariation(strength: strength))
    case "nlm": self.init(.nonLocalMeans(strength: strength))
    case "median":
      guard let radius = Int(exactly: strength), Denoising.radii.contains(radius) else { return nil }
      self.init(.median(radius: radius))
    default: return nil
    }
  }

  /// As it is written on the command line.
  public var scanText: String {
    switch method {
    case nil: "none"
    case .totalVariation(let strength)?: "tv" + suffix(strength)
    case .nonLocalMeans(let strength)?: "nlm" + suffix(strength)
    case .median(let radius)?: "median" + suffix(Float(radius))
    }
  }

  private func suffix(_ strength: Float) -> String {
    strength == 1 ? "" : ":\(strength == strength.rounded() ? "\(Int(strength))" : "\(strength)")"
  }

  /// What was done, for people; nil for nothing.
  var words: String? {
    switch method {
    case nil: nil
    case .totalVariation(let strength)?: "total variation of strength \(strength)"
    case .nonLocalMeans(let strength)?: "non-local means of strength \(strength)"
    case .median(let radius)?: "the median of cubes of \(2 * radius + 1) voxels"
    }
  }
}
