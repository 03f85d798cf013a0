import ArgumentParser
package import ScanPlan
package import Tomography

/// What is done to data and volume beside the reconstruction.
struct FilterOptions: ParsableArguments {
  @Option(help: .key("zingers", "threshold")) var zingers: Double?
  @Option(help: .key("paganin", "energy=…")) var paganin: PhaseRetrieval?
  @Option(help: .key("stripe-removal")) var stripeRemoval = ScanDescription.standard.stripeRemoval
  @Option(help: .key("denoise", "none|tv|nlm|median|program:path")) var denoise = ScanDescription.standard.denoise

  /// Puts the options where they belong.
  func apply(to scan: inout ScanDescription) {
    (scan.zingers, scan.paganin) = (zingers, paganin)
    (scan.stripeRemoval, scan.denoise) = (stripeRemoval, denoise)
  }
}

extension PhaseRetrieval: ExpressibleByArgument {
  /// From all four values.
  package init?(argument: String) { self.init(scanText: argument) }
  /// For the help.
  package var defaultValueDescription: String { scanText }
}

extension StripeRemoval: ExpressibleByArgument {}

extension Denoise: ExpressibleByArgument {
  /// From the method's name, with or without a strength.
  package init?(argument: String) { self.init(scanText: argument) }
  /// For the help.
  package var defaultValueDescription: String { scanText }
}
