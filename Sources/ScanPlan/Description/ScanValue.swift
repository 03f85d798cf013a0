import Host
package import Tomography

/// A value of a scan description: one word, spelled alike in scan.yaml, in plan.json and on the command line.
package protocol ScanValue: Equatable, Sendable {
  /// What can be written, for people: `a whole number`.
  static var form: String { get }
  /// The words that can be written where there are no others; nil for any other form.
  static var choices: [String]? { get }
  /// Reads the word; nil for one without meaning.
  init?(scanText: String)
  /// The word; reading it gives the same value.
  var scanText: String { get }
}

extension ScanValue {
  /// Of most values there are too many to name.
  package static var choices: [String]? { nil }
}

extension Int: ScanValue {
  /// For people.
  package static var form: String { "a whole number" }
  /// Decimal digits, with a minus before them or not.
  package init?(scanText: String) { self.init(written: scanText) }
  /// In decimal digits.
  package var scanText: String { "\(self)" }
}

extension Int {
  /// A number inside of a word of its own form, as the 4 of `decimate:4`: decimal digits without a sign or zeros before
  /// them, so that each has one spelling; nil for others.
  init?(digits: some StringProtocol) {
    guard let number = Int(digits), number >= 0, "\(number)" == digits else { return nil }
    self = number
  }
}

extension Double: ScanValue {
  /// For people.
  package static var form: String { "a number" }
  /// As in 12, -0.5 or 1e-3.
  package init?(scanText: String) { self.init(written: scanText) }
  /// With as many digits as the value needs.
  package var scanText: String { self == rounded() && abs(self) < 1e15 ? "\(Int(self))" : "\(self)" }
}

extension Bool: ScanValue {
  /// For people.
  package static var form: String { "true or false" }
  /// In YAML's words of either version.
  package init?(scanText: String) {
    switch scanText.lowercased() {
    case "true", "yes", "on": self = true
    case "false", "no", "off": self = false
    default: return nil
    }
  }
  /// `true` or `false`.
  package var scanText: String { self ? "true" : "false" }
}

extension String: ScanValue {
  /// For people.
  package static var form: String { "text" }
  /// Any text.
  package init?(scanText: String) { self = scanText }
  /// The text.
  package var scanText: String { self }
}

// Choices among words.
extension ScanValue where Self: RawRepresentable & CaseIterable, RawValue: ScanValue {
  /// The words.
  package static var form: String {
    let words = allCases.map(\.rawValue.scanText)
    return words.dropLast().joined(separator: ", ") + " or " + (words.last ?? "")
  }
  /// The words.
  package static var choices: [String]? { allCases.map(\.rawValue.scanText) }
  /// One of the words.
  package init?(scanText: String) {
    guard let raw = RawValue(scanText: scanText), let value = Self(rawValue: raw) else { return nil }
    self = value
  }
  /// Its word.
  package var scanText: String { rawValue.scanText }
}

extension Algorithm: ScanValue {}
extension InitialVolume: ScanValue {}
extension FBPOptions.Filter: ScanValue {}
extension OutputFormat: ScanValue {}
extension SampleBits: ScanValue {}
extension MinusLog: ScanValue {}
extension AngleUnit: ScanValue {}
extension Durability: ScanValue {}
extension StripeRemoval: ScanValue {}

extension PhaseRetrieval: ScanValue {
  private static let names = ["energy", "distance", "pixel", "delta-beta"]
  /// Wide enough for every beamline, and far from overflow.
  private static let limits = 1e-6...1e9

  /// For people.
  package static var form: String { "energy=20,distance=100,pixel=0.65,delta-beta=500, all above 0" }
  /// All four values, in any order.
  package init?(scanText: String) {
    var values: [String: Double] = [:]
    for part in scanText.split(separator: ",", omittingEmptySubsequences: false) {
      let words = part.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
      guard words.count == 2, Self.names.contains(words[0]), values[words[0]] == nil,
        let value = Double(written: words[1]), Self.limits.contains(value)
      else { return nil }
      values[words[0]] = value
    }
    guard let energy = values["energy"], let distance = values["distance"], let pixel = values["pixel"],
      let deltaBeta = values["delta-beta"]
    else { return nil }
    self.init(energy: energy, distance: distance, pixel: pixel, deltaBeta: deltaBeta)
  }
  /// As it is written on the command line.
  package var scanText: String {
    zip(Self.names, [energy, distance, pixel, deltaBeta]).map { "\($0)=\($1.scanText)" }.joined(separator: ",")
  }
}

extension Regularisation: ScanValue {
  /// For people.
  package static var form: String { "a strength, or a strength and a difference as in 10,0.01" }
  /// `β` or `β,δ`.
  package init?(scanText: String) { self.init(scanText) }
  /// As it is written on the command line.
  package var scanText: String { text }
}

extension CheckpointEvery: ScanValue {
  /// For people.
  package static var form: String { "a number of updates, of seconds as in 30s, or 0 for never" }
  /// `30s`, `100` or `0`.
  package init?(scanText: String) { self.init(scanText) }
  /// As it is written on the command line.
  package var scanText: String { text }
}

extension Retention: ScanValue {
  /// For people.
  package static var form: String { "keep, none, or a number of days from 1 to 36500" }
  /// `keep`, `none` or `30`.
  package init?(scanText: String) { self.init(scanText) }
  /// As it is written on the command line.
  package var scanText: String { text }
}
