import ArgumentParser
package import ScanFiles
import ScanPlan
package import Stages

/// How the files of a volume are written, beside their format and bits.
struct OutputOptions: ParsableArguments {
  // What begins with a minus is a number here.
  @Option(parsing: .unconditional, help: .key("range", "low,high|p,p")) var range: SampleRange?
  @Option(help: .key("zarr-version")) var zarrVersion = ScanDescription.standard.zarrVersion
  @Flag(help: .key("compress")) var compress = false

  /// Takes them over.
  func apply(to scan: inout ScanDescription) {
    (scan.range, scan.zarrVersion, scan.compress) = (range, zarrVersion, compress)
  }
}

extension SampleRange: ExpressibleByArgument {
  /// From two values or percentiles.
  package init?(argument: String) { self.init(scanText: argument) }
  /// For the help.
  package var defaultValueDescription: String { scanText }
}

extension OMEZarrVersion: ExpressibleByArgument {}
