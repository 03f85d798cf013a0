import ArgumentParser
package import ScanPlan

/// Which updates are made while the scan runs.
struct WindowOptions: ParsableArguments {
  @Option(help: .key("window-recent")) var windowRecent: Int?
  @Option(help: .key("window-spread")) var windowSpread: Int?
  @Option(help: .key("window-memory", "projections|GiB")) var windowMemory: WindowMemory?
  @Option(help: .key("window-length")) var windowLength: Int?
  @Option(help: .key("window-step")) var windowStep: Int?
  @Option(help: .key("live-binning", "auto|K")) var liveBinning = ScanDescription.standard.liveBinning
  @Option(help: .key("window-iter")) var windowIter = ScanDescription.standard.windowIter
  @Option(help: .key("window-subsets")) var windowSubsets: Int?

  /// Takes the options over.
  func apply(to scan: inout ScanDescription) {
    (scan.windowRecent, scan.windowSpread, scan.windowMemory) = (windowRecent, windowSpread, windowMemory)
    (scan.windowLength, scan.windowStep, scan.windowIter) = (windowLength, windowStep, windowIter)
    (scan.windowSubsets, scan.liveBinning) = (windowSubsets, liveBinning)
  }
}

extension UpdateBinning: ExpressibleByArgument {
  /// From `auto` or a digit.
  package init?(argument: String) { self.init(scanText: argument) }
  /// As it is written.
  package var defaultValueDescription: String { scanText }
}

extension WindowMemory: ExpressibleByArgument {
  /// From a number of projections, or of GiB.
  package init?(argument: String) { self.init(scanText: argument) }
}
