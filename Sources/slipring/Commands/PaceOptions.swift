import ArgumentParser
import ScanPlan
package import Stages

/// What is done while updates do not keep up with the projections.
struct PaceOptions: ParsableArguments {
  @Option(help: .key("latency-max", "seconds")) var latencyMax: Double?
  @Option(help: .key("when-slow", "steps")) var whenSlow: SlowLadder?
  @Option(help: .key("catch-up", "n")) var catchUp: Int?
  @Option(help: .key("expect-rate", "p/s")) var expectRate: Double?

  /// Takes the options over.
  func apply(to scan: inout ScanDescription) {
    (scan.latencyMax, scan.whenSlow, scan.catchUp, scan.expectRate) = (latencyMax, whenSlow, catchUp, expectRate)
  }
}

extension SlowLadder: ExpressibleByArgument {
  /// From steps with commas between.
  package init?(argument: String) { self.init(scanText: argument) }
}
