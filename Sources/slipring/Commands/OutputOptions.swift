import ArgumentParser
import ScanPlan
package import Stages

/// How the files of a volume are written, beside their format and bits.
struct OutputOptions: ParsableArguments {
  @Option(help: .key("range", "low,high|p,p")) var range: SampleRange?
  @Flag(help: .key("compress")) var compress = false

  /// Takes them over.
  func apply(to scan: inout ScanDescription) {
    (scan.range, scan.compress) = (range, compress)
  }
}

extension SampleRange: ExpressibleByArgument {
  /// From two values or percentiles.
  package init?(argument: String) { self.init(scanText: argument) }
  /// For the help.
  package var defaultValueDescription: String { scanText }
}
