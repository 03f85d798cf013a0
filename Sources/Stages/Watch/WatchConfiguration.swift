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
  /// Projections of the scan, and projections from one update to the next.
  var (projections, windowStep): (Int, Int)
  /// Where the run's folder is, and what a projection takes there.
  var runFolder: (path: String, byteCountOfProjection: Int)
  /// Where the output goes, and what it takes.
  var output: (path: String, byteCount: Int)

  /// As given.
  package init(
    triggers: [Trigger], limits: [Trigger.LimitName: Double], images: (topic: Topic, readers: [Int]),
    hasLedger: Bool, projections: Int, windowStep: Int, runFolder: (path: String, byteCountOfProjection: Int),
    output: (path: String, byteCount: Int)
  ) {
    (self.triggers, self.limits, self.images, self.hasLedger) = (triggers, limits, images, hasLedger)
    (self.projections, self.windowStep, self.runFolder, self.output) = (projections, windowStep, runFolder, output)
  }

  /// What is told of triggers that are not watched, as the run has no limit of that name; those of the standard set are
  /// for runs that have it.
  package var unwatched: [String] {
    triggers.filter { trigger in
      guard let limit = trigger.limit, limits[limit] == nil else { return false }
      return !Trigger.standard.contains(trigger)
    }.map { "the trigger \($0.text) is not watched: this run has no such limit" }
  }
}
