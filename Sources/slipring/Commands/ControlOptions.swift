import ArgumentParser
import ScanPlan
package import Tomography

/// When a scan ends before its source does, and in which order its projections come.
struct ControlOptions: ParsableArguments {
  @Option(help: .key("order", "sequential|interleaved:K|interleaved-optimised:D|bit-reversal|golden"))
  var order = ScanDescription.standard.order
  @Option(help: .key("stop-ssim", "0…1")) var stopSsim: Double?
  @Option(help: .key("stop-scale", "1…5")) var stopScale: Int?
  @Option(help: .key("stop-distance", "updates")) var stopDistance: Int?
  @Option(help: .key("stop-patience")) var stopPatience = ScanDescription.standard.stopPatience
  @Option(help: .key("stop-after")) var stopAfter: Int?
  @Option(help: .key("stop-rises")) var stopRises: Int?
  @Option(help: .key("reference", "file.h5"), completion: .file()) var reference: String?

  @Option(help: .key("trigger", "record")) var trigger: [String] = []
  @Option(help: .key("view", "record")) var view: [String] = []

  /// Takes the options over.
  func apply(to scan: inout ScanDescription) {
    scan.order = order
    scan.trigger = TriggerRecords(scanText: trigger.joined(separator: " "))
    scan.view = ViewRecords(scanText: view.joined(separator: " "))
    (scan.stopSimilarity, scan.stopPatience, scan.stopAfter, scan.stopRises) = (
      stopSsim, stopPatience, stopAfter, stopRises
    )
    (scan.stopScale, scan.stopDistance, scan.reference) = (stopScale, stopDistance, reference)
  }
}

extension AngleOrder: ExpressibleByArgument {
  /// From its word.
  package init?(argument: String) { self.init(scanText: argument) }
  /// For the help.
  package var defaultValueDescription: String { scanText }
}
