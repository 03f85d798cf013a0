import ArgumentParser
package import ScanPlan

/// Parts of a long scan.
struct SeriesOptions: ParsableArguments {
  @Option(help: .key("subset", "first:end")) var subset: ProjectionRange?
  @Option(help: .key("volume-every", "half-turn|n")) var volumeEvery: VolumeInterval?

  /// Takes them over.
  func apply(to scan: inout ScanDescription) { (scan.subset, scan.volumeEvery) = (subset, volumeEvery) }
}

extension ProjectionRange: ExpressibleByArgument {
  /// From two numbers.
  package init?(argument: String) { self.init(scanText: argument) }
  /// For the help.
  package var defaultValueDescription: String { scanText }
}

extension BandCount: ExpressibleByArgument {
  /// From `auto` or a number.
  package init?(argument: String) { self.init(scanText: argument) }
  /// For the help.
  package var defaultValueDescription: String { scanText }
}

extension VolumeInterval: ExpressibleByArgument {
  /// From `half-turn` or a number.
  package init?(argument: String) { self.init(scanText: argument) }
  /// For the help.
  package var defaultValueDescription: String { scanText }
}
