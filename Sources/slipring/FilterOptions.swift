public import ArgumentParser
public import Scan

/// What is done to data and volume beside the reconstruction.
struct FilterOptions: ParsableArguments {
  @Option(help: .key("stripe-removal")) var stripeRemoval = ScanDescription.standard.stripeRemoval
  @Option(help: .key("denoise", "none|tv|nlm|median")) var denoise = ScanDescription.standard.denoise

  /// Puts the options where they belong.
  func apply(to scan: inout ScanDescription) {
    (scan.stripeRemoval, scan.denoise) = (stripeRemoval, denoise)
  }
}

extension StripeRemoval: ExpressibleByArgument {}

extension Denoise: ExpressibleByArgument {
  /// From the method's name, with or without a strength.
  public init?(argument: String) { self.init(scanText: argument) }
  /// For the help.
  public var defaultValueDescription: String { scanText }
}
