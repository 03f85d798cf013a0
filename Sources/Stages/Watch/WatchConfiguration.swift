package import Alarms
package import RunModel

/// What `watch` looks at, and with which triggers.
package struct WatchConfiguration: Sendable {
  /// The triggers, those of the run's own first.
  var triggers: [Trigger]
  /// What triggers may compare with by name.
  var limits: [Trigger.LimitName: Double]
  /// The images that workers take, and of each worker its reader there.
  var images: (topic: Topic, readers: [Int])
  /// Whether images carry the source's ledger.
  var hasLedger: Bool
  /// Whether slices are compared.
  var comparesSlices: Bool
  /// Projections of the scan, and projections from one update to the next.
  var (projections, windowStep): (Int, Int)
  /// Where the run's folder is, and what a projection takes there.
  var runFolder: (path: String, byteCountOfProjection: Int)
  /// Where the output goes, and what it takes.
  var output: (path: String, byteCount: Int)

  /// As given.
  package init(
    triggers: [Trigger], limits: [Trigger.LimitName: Double], images: (topic: Topic, readers: [Int]),
    hasLedger: Bool, comparesSlices: Bool, projections: Int, windowStep: Int,
    runFolder: (path: String, byteCountOfProjection: Int),
    output: (path: String, byteCount: Int)
  ) {
    (self.triggers, self.limits, self.images) = (triggers, limits, images)
    (self.hasLedger, self.comparesSlices) = (hasLedger, comparesSlices)
    (self.projections, self.windowStep, self.runFolder, self.output) = (projections, windowStep, runFolder, output)
  }

  /// Those of a person's own: those of the standard set are for runs that have what they need.
  private var own: [Trigger] { triggers.filter { !Trigger.standard.contains($0) } }

  private func lacksLimit(_ trigger: Trigger) -> Bool { trigger.limit.map { limits[$0] == nil } ?? false }

  private func isNever(_ gauge: Gauge) -> Bool {
    switch gauge {
    case .missing, .faults: !hasLedger
    case .similarity: !comparesSlices
    default: false
    }
  }

  /// What is told of triggers that are not watched, as the run has no limit of that name, or nothing that their gauge
  /// is of.
  package var unwatched: [String] {
    own.compactMap { trigger in
      if lacksLimit(trigger) { return "the trigger \(trigger.text) is not watched: this run has no such limit" }
      guard isNever(trigger.gauge) else { return nil }
      return "the trigger \(trigger.text) watches nothing: this run has no \(trigger.gauge.rawValue), "
        + trigger.gauge.sourceWords
    }
  }

  /// The same of triggers whose gauge could have had a value and, as `isSeen` says, never had.
  package func unseen(_ isSeen: (Gauge) -> Bool) -> [String] {
    own.filter { !lacksLimit($0) && !isNever($0.gauge) && !isSeen($0.gauge) }.map { trigger in
      "the trigger \(trigger.text) watched nothing: \(trigger.gauge.rawValue) never had a value, "
        + trigger.gauge.sourceWords
    }
  }
}
