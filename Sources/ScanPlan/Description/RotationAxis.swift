import Host

/// Where the rotation axis is, in pixels from the detector's left edge.
package enum RotationAxis: Equatable, Sendable {
  /// Found from the projections.
  case automatic
  /// Given.
  case pixels(Double)
  /// That of the newest finished run beside this one's folder.
  case lastRun
  /// That of the run in this folder.
  case run(String)

  private static let runPrefix = "from:"

  /// Reads `auto`, `last`, `from:` and a folder, or a number.
  package init?(_ text: String) {
    if text == "auto" {
      self = .automatic
    } else if text == "last" {
      self = .lastRun
    } else if text.hasPrefix(Self.runPrefix), text.count > Self.runPrefix.count {
      self = .run(String(text.dropFirst(Self.runPrefix.count)))
    } else if let pixels = Double(written: text) {
      self = .pixels(pixels)
    } else {
      return nil
    }
  }

  /// The folder of the run whose axis is taken, where that is named.
  var runFolder: String? { if case .run(let folder) = self { folder } else { nil } }
}

extension RotationAxis: ScanValue {
  /// For people.
  package static var form: String { "a number of pixels, auto, last or from:RUN-FOLDER" }
  /// As `init(_:)`.
  package init?(scanText: String) { self.init(scanText) }
  /// As it is written on the command line.
  package var scanText: String {
    switch self {
    case .automatic: "auto"
    case .pixels(let pixels): pixels.scanText
    case .lastRun: "last"
    case .run(let folder): Self.runPrefix + folder
    }
  }
}
