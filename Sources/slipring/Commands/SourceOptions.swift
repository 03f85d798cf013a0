import ArgumentParser
package import Detectors
import Host
package import ScanPlan

/// What a live source will deliver; a scan file says it itself.
struct SourceOptions: ParsableArguments {
  @Option(help: .key("shape", "rows,columns")) var shape: DetectorShape?
  @Option(help: .key("pixel")) var pixel: PixelType?
  @Option(help: .key("projections")) var projections: Int?
  @Option(help: .key("flats", "n|files"), completion: .file()) var flats: FieldSource?
  @Option(help: .key("darks", "n|files"), completion: .file()) var darks: FieldSource?
  @Option(help: .key("fields", "file.h5"), completion: .file()) var fields: String?
  // What begins with a minus is a number here.
  @Option(parsing: .unconditional, help: .key("theta-start")) var thetaStart: Double?
  @Option(parsing: .unconditional, help: .key("theta-step")) var thetaStep: Double?
  @Option(help: .key("first-frame", "number|auto")) var firstFrame: FirstFrame?
  @Option(help: .key("channel", "name")) var channel: String?
  @Option(help: .key("on-gap", "skip|interpolate|program:path")) var onGap: GapPolicy?
  @Option(help: .key("gap-wait", "seconds")) var gapWait: Double?
  @Option(help: .key("source-timeout", "seconds")) var sourceTimeout: Double?
  @Option(help: .key("stop-hook", "url")) var stopHook: String?

  /// Puts the options into a description.
  func apply(to scan: inout ScanDescription) {
    (scan.detectorShape, scan.pixel, scan.projections) = (shape, pixel, projections)
    (scan.flatFieldSource, scan.darkFieldSource, scan.fields) = (flats, darks, fields)
    (scan.thetaStart, scan.thetaStep, scan.firstFrame) = (thetaStart, thetaStep, firstFrame)
    (scan.channel, scan.gapWait) = (channel, gapWait)
    (scan.onGap, scan.sourceTimeout, scan.stopHook) = (onGap, sourceTimeout, stopHook)
  }
}

extension DetectorShape: ExpressibleByArgument {
  /// From rows and columns.
  package init?(argument: String) { self.init(argument) }
  /// For the help.
  package var defaultValueDescription: String { text }
}

extension FieldSource: ExpressibleByArgument {
  /// From a number or a path.
  package init?(argument: String) { self.init(scanText: argument) }
  /// For the help.
  package var defaultValueDescription: String { scanText }
}

extension FirstFrame: ExpressibleByArgument {
  /// From `auto` or a number.
  package init?(argument: String) { self.init(scanText: argument) }
  /// For the help.
  package var defaultValueDescription: String { scanText }
}

extension PixelType: ExpressibleByArgument {}

extension GapPolicy: ExpressibleByArgument {
  /// From a word, or `program:` and a path.
  package init?(argument: String) { self.init(scanText: argument) }
  /// For the help.
  package var defaultValueDescription: String { scanText }
}
