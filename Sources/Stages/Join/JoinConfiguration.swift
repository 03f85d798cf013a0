import RunModel

/// The views of a run, and what they are made from.
package struct JoinConfiguration: Sendable {
  /// The views, each by its number.
  var views: [ViewRecord]
  /// Of each worker the rows that it makes.
  var rows: [Range<Int>]

  /// As given.
  package init(views: [ViewRecord], rows: [Range<Int>]) { (self.views, self.rows) = (views, rows) }

  /// The topics of one side of a view.
  func topics(_ source: ViewRecord.Source) -> [Topic] {
    switch source {
    case .projections: [.projections]
    case .corrected: [.corrected]
    case .scores: [.scores]
    case .updates(let worker?): [.updates(partition: worker)]
    case .updates(nil): rows.indices.map { .updates(partition: $0) }
    }
  }
}
