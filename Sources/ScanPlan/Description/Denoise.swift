package import Tomography

/// What is done to the finished volume: `none`, a method with its strength as in `tv`, `nlm:0.5` or `median:2`, or a
/// program of a person's own.
package enum Denoise: ScanValue {
  /// Nothing.
  case none
  /// One of our methods.
  case method(Denoising)
  /// The program at this path, which fills the region itself.
  case program(String)

  /// For people.
  package static var form: String {
    "none, tv, nlm or median, with a strength from 0.01 to 100 as in tv:0.5 or a radius as in median:2; or program:PATH"
  }

  /// `none`, `tv`, `nlm` or `median`; behind a colon the strength, or the median's radius, otherwise 1. `program` and
  /// behind a colon its path.
  package init?(scanText: String) {
    let words = scanText.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    if words[0] == "program" {
      guard words.count == 2, !words[1].isEmpty else { return nil }
      self = .program(words[1])
      return
    }
    let strength = words.count == 2 ? Float(words[1]) : 1
    guard let strength, Denoising.strengths.contains(strength) else { return nil }
    switch words[0] {
    case "none" where words.count == 1: self = .none
    case "tv": self = .method(.totalVariation(strength: strength))
    case "nlm": self = .method(.nonLocalMeans(strength: strength))
    case "median":
      guard let radius = Int(exactly: strength), Denoising.radii.contains(radius) else { return nil }
      self = .method(.median(radius: radius))
    default: return nil
    }
  }

  /// As it is written on the command line.
  package var scanText: String {
    switch self {
    case .none: "none"
    case .method(.totalVariation(let strength)): "tv" + Self.suffix(strength)
    case .method(.nonLocalMeans(let strength)): "nlm" + Self.suffix(strength)
    case .method(.median(let radius)): "median" + Self.suffix(Float(radius))
    case .program(let path): "program:" + path
    }
  }

  private static func suffix(_ strength: Float) -> String {
    strength == 1 ? "" : ":\(strength == strength.rounded() ? "\(Int(strength))" : "\(strength)")"
  }

  /// What was done, for people; nil for nothing.
  var words: String? {
    switch self {
    case .none: nil
    case .method(.totalVariation(let strength)): "total variation of strength \(strength)"
    case .method(.nonLocalMeans(let strength)): "non-local means of strength \(strength)"
    case .method(.median(let radius)): "the median of cubes of \(2 * radius + 1) voxels"
    case .program(let path): "the program \(path)"
    }
  }

  /// The method; nil where it is none of ours.
  var method: Denoising? { if case .method(let method) = self { method } else { nil } }
}
