import Tomography

extension ScanKey {
  /// What is known of the measurement beside its images.
  static let measurement = [
    ScanKey(
      .input, "pixel-size", \.pixelSize, "Edge of a detector pixel at the sample, in mm.",
      unset: "what the scan says of it", .within(1e-7...10, "mm")),
    ScanKey(
      .input, "energy", \.energy, "Energy of the X-rays in keV, for the output.", unset: "what the scan says of it",
      .within(1e-3...1e5, "keV")),
    ScanKey(
      .input, "sample", \.sample, "What is measured, for the output.", unset: "what the scan says of it", .line),
  ]
}

extension ScanLimit where Value == String {
  private static let lineMax = 200

  /// A line of text.
  static var line: ScanLimit {
    let form = "a line of text, up to \(lineMax) bytes"
    return ScanLimit(form: form) { text in
      let isLine = !text.unicodeScalars.contains { $0.properties.generalCategory == .control }
      return !text.isEmpty && text.utf8.count <= lineMax && isLine ? nil : "is not \(form)"
    }
  }
}

extension ScanDescription {
  /// Of what phase retrieval is told and of what the output says.
  var measurementProblem: String? {
    guard let paganin, let energy, abs(paganin.energy - energy) > 1e-6 * energy else { return nil }
    return "--energy \(energy.scanText) and --paganin \(paganin.scanText) name two energies"
  }

  /// Takes over what a scan says of its own measurement. Phase retrieval goes by that as well.
  package mutating func measure(energy: Double?, pixelSize: Double?, sample: String?) {
    (self.energy, self.pixelSize) = (energy ?? self.energy, pixelSize ?? self.pixelSize)
    self.sample = sample ?? self.sample
    if let energy { paganin?.energy = energy }
    if let pixelSize { paganin?.pixel = pixelSize * 1000 }
  }
}
