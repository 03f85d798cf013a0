/// When the rotation axis of a scan is looked for that nobody gave, and in which row.
///
/// Everything is a function of how many projections there are, never of the time, so that a successor looks for it at
/// the same places.
package struct AxisSchedule: Sendable {
  /// The row of a projection's payload.
  var row: Int
  /// Columns of it.
  var columns: Int
  /// Whether the data are counts.
  var minusLog: Bool
  /// Whether there are flat fields to come: without any, counts are no line integrals.
  var needsFlats: Bool
  /// Projections of the scan.
  var projections: Int
  /// Columns by which the axis is farther right in that row than where the plan means it: in the middle of the detector
  /// where it is tilted.
  var offset: Double

  /// As given.
  package init(
    row: Int, columns: Int, minusLog: Bool, needsFlats: Bool, projections: Int, offset: Double = 0
  ) {
    (self.row, self.columns, self.minusLog, self.needsFlats) = (row, columns, minusLog, needsFlats)
    (self.projections, self.offset) = (projections, offset)
  }

  /// Fewer projections show little.
  private static let projectionsMin = 24
  /// Radians that the projections must span before the end, the step behind the last with them.
  static let spanMin = 150 * Double.pi / 180
  /// Columns by which the axis may move while the volume goes on: so much heals, and what was made so far is worth
  /// more.
  static let moveMax = 0.5
  /// What an axis may be wrong by to begin with it, in columns, before the end: updates about another one are lost.
  static let errorMax = 1.0
  /// How often the angles are looked at.
  private static let looks = 64

  /// Whether the axis may be looked for after so many projections, of which it was last looked for at `sought`.
  func isDue(projections: Int, sought: Int) -> Bool {
    // That of all projections is found at the end.
    projections >= Self.projectionsMin && projections < self.projections
      && projections % max(1, self.projections / Self.looks) == 0 && 2 * projections >= 3 * sought
  }

  /// The most orders about the axis that a scan of so many projections can have: each comes after half as many again as
  /// the one before, and the last one behind all.
  package static func ordersMax(projections: Int) -> Int {
    var (count, sought) = (2, projectionsMin)
    while sought < projections { (count, sought) = (count + 1, (3 * sought + 1) / 2) }
    return count
  }
}
