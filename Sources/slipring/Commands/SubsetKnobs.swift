import ArgumentParser
package import ScanPlan
package import Tomography

/// What can be chosen about auto's final iterations.
struct SubsetKnobs: ParsableArguments {
  @Option(help: .key("preset")) var preset = ScanDescription.standard.preset
  @Option(help: .key("precision")) var precision = ScanDescription.standard.precision
  @Option(help: .key("weight", "factor x|weight")) var weight: PenaltyWeight?
  @Option(help: .key("tv-dimensions", "2|3")) var tvDimensions = ScanDescription.standard.tvDimensions
  @Option(help: .key("inner-steps")) var innerSteps: Int?
  @Option(help: .key("momentum-max")) var momentumMax: Double?
  @Option(help: .key("relaxed-sweeps")) var relaxedSweeps: Int?
  @Option(help: .key("doubled-sweeps")) var doubledSweeps: Int?
  @Option(help: .key("huber")) var huber: Double?
  @Flag(help: .key("count-weights")) var countWeights = false
  @Option(help: .key("padding", "auto|none|pixels")) var padding = ScanDescription.standard.padding

  /// Puts the options where they belong.
  func apply(to scan: inout ScanDescription) {
    (scan.preset, scan.weight, scan.innerSteps, scan.momentumMax) = (preset, weight, innerSteps, momentumMax)
    (scan.relaxedSweeps, scan.doubledSweeps, scan.tvDimensions) = (relaxedSweeps, doubledSweeps, tvDimensions)
    (scan.huber, scan.countWeights, scan.padding, scan.precision) = (huber, countWeights, padding, precision)
  }
}

extension SubsetOptions.Preset: ExpressibleByArgument {}
extension SubsetOptions.Precision: ExpressibleByArgument {}

extension PenaltyWeight: ExpressibleByArgument {
  /// From `0.5x` or a number.
  package init?(argument: String) { self.init(scanText: argument) }
  /// For the help.
  package var defaultValueDescription: String { scanText }
}

extension GridPadding: ExpressibleByArgument {
  /// From a word or a number of pixels.
  package init?(argument: String) { self.init(scanText: argument) }
  /// For the help.
  package var defaultValueDescription: String { scanText }
}
