import ArgumentParser
package import ScanFiles
import ScanPlan

/// What of a scan file is the scan, and what is known of its measurement.
struct SelectionOptions: ParsableArguments {
  @Option(help: .key("entry", "group")) var entry: String?
  @Option(help: .key("data-path", "/path/in/file")) var dataPath: String?
  @Option(help: .key("image-key-path", "/path/in/file")) var imageKeyPath: String?
  @Option(help: .key("theta-path", "/path/in/file")) var thetaPath: String?
  @Option(help: .key("flips")) var flips = ScanDescription.standard.selection.flips
  @Flag(help: .key("strict")) var strict = false
  @Option(help: .key("pixel-size", "mm")) var pixelSize: Double?
  @Option(help: .key("energy", "keV")) var energy: Double?
  @Option(help: .key("sample", "words")) var sample: String?

  /// Puts the options into a description.
  func apply(to scan: inout ScanDescription) {
    (scan.selection.entry, scan.selection.dataPath) = (entry, dataPath)
    (scan.selection.imageKeyPath, scan.selection.thetaPath) = (imageKeyPath, thetaPath)
    (scan.selection.flips, scan.selection.isStrict) = (flips, strict)
    (scan.pixelSize, scan.energy, scan.sample) = (pixelSize, energy, sample)
  }
}

extension FrameFlips: ExpressibleByArgument {}
