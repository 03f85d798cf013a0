import Host
package import Tomography

// When a scan ends before its source does, and in which order its projections come.
extension ScanKey {
  static let control = [
    ScanKey(
      .control, "order", \.order,
      """
      In which order a file's projections are taken, or a detector's come that sends no angles; \
      interleaved-optimised, bit-reversal and golden spread early ones.
      """
    ),
    ScanKey(
      .control, "stop-ssim", \.stopSimilarity,
      "Ends the scan when its volume is this similar (MS-SSIM) to what it was stop-distance updates before.",
      unset: "never", .within(0...1)),
    ScanKey(
      .control, "stop-scale", \.stopScale,
      "The scale at which stop-ssim compares: 1 the pixels, 2 means of 2 × 2 of them, to 5 of 16 × 16.",
      unset: "all five together, as in MS-SSIM", .within(1...MultiScaleSimilarity.scalesMax)),
    ScanKey(
      .control, "stop-distance", \.stopDistance,
      "Updates between the two volumes that stop-ssim compares; from 8 on about so many.",
      unset: "those of a sliding window; 24 where windows are spread", .within(1...100_000)),
    ScanKey(.control, "stop-patience", \.stopPatience, "Scores in a row that must reach stop-ssim.", .within(1...1000)),
    ScanKey(
      .control, "stop-after", \.stopAfter, "Projections before which stop-ssim does not end the scan.",
      unset: "nine tenths of the scan, which cost about a decibel, and those that see all directions",
      .within(1...countMax)),
    ScanKey(
      .control, "stop-rises", \.stopRises, "Ends the scan when the residual of the updates rises so often in a row.",
      unset: "never",
      .within(2...countMax)),
    ScanKey(
      .control, "reference", \.reference,
      "A volume in an HDF5 file, like those that are written, that the updates are compared with.",
      unset: "none", .needed("the path of an HDF5 file")),
  ]
}

extension AngleOrder: ScanValue {
  private static let interleaved = "interleaved:"
  private static let optimised = "interleaved-optimised:"

  /// For people.
  package static var form: String {
    "sequential, interleaved:K (K passes), interleaved-optimised:D (passes in steps of at least D ≤ 90 degrees), "
      + "bit-reversal or golden"
  }
  /// A word, for interleaved with the number of passes, for interleaved-optimised with the degrees.
  package init?(scanText: String) {
    switch scanText {
    case "sequential": self = .sequential
    case "bit-reversal": self = .bitReversal
    case "golden": self = .golden
    default:
      if scanText.hasPrefix(Self.optimised) {
        guard let degrees = Double(written: scanText.dropFirst(Self.optimised.count)), degrees > 0, degrees <= 90 else {
          return nil
        }
        self = .interleavedOptimised(degrees)
        return
      }
      guard scanText.hasPrefix(Self.interleaved), let passes = Int(digits: scanText.dropFirst(Self.interleaved.count)),
        (1...ScanKey.countMax).contains(passes)
      else { return nil }
      self = .interleaved(passes)
    }
  }
  /// As it is written on the command line.
  package var scanText: String {
    switch self {
    case .sequential: "sequential"
    case .interleaved(let passes): "\(Self.interleaved)\(passes)"
    case .interleavedOptimised(let degrees): "\(Self.optimised)\(degrees.scanText)"
    case .bitReversal: "bit-reversal"
    case .golden: "golden"
    }
  }
}
