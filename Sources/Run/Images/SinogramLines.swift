import Rings
import ScanPlan

/// One row of a scan's projections, read line by line as they come.
struct SinogramLines {
  private struct Line {
    let projection: UInt64
    let theta: Double
    let values: [Float]
  }

  private let topic: ImageTopic
  private let picks: ImagePicks
  private let row: Int
  private let step: UInt64
  private var fields: ImageFields?
  private var lines: [Line] = []
  /// The sequence that is looked at next.
  private var next: UInt64 = 0

  /// Row `row` of each `step`th image.
  init(_ topic: ImageTopic, _ plan: RunPlan, row: Int, isCorrected: Bool, step: Int) {
    (self.topic, self.row, self.step) = (topic, row, UInt64(step))
    picks = ImagePicks(row: row, columns: plan.shape.columns, edgeMax: RunImages.edgeMax)
    fields = isCorrected ? ImageFields(topic, plan, rows: EventBands.rowsMin) : nil
  }

  /// Reads lines until `deadline`, at least one that is missing; whether all are there that could be.
  mutating func read(until deadline: ContinuousClock.Instant) -> Bool {
    if fields?.take(picks, until: deadline) == false { return false }
    let published = topic.published
    var isFirst = true
    while next < published {
      guard isFirst || .now < deadline else { return false }
      isFirst = false
      defer { next += step }
      // What is gone stays away; the others are shown.
      guard let event = topic.image(at: next, rows: row..<row + 1), event.header.kind == .projection,
        let values = picks.values(of: event)
      else { continue }
      // More than the plan says never come, and would cost memory.
      guard lines.count < 2 * RunImages.linesMax else { continue }
      lines.append(Line(projection: event.header.projection, theta: event.header.theta, values: values))
    }
    return true
  }

  /// The lines as they are now; nil before the first, and before the fields that they need.
  func image(isComplete: Bool) -> RunImages.Image? {
    guard let last = lines.last else { return nil }
    if let fields, !isComplete, fields.count == 0 { return nil }
    let values = lines.flatMap { line in
      var values = line.values
      fields?.correct(&values)
      return values
    }
    return RunImages.Image(
      columns: picks.columns.count, rows: lines.count, values: values, projection: last.projection, theta: last.theta,
      version: UInt64(lines.count) << 16 | UInt64(fields?.count ?? 0), isComplete: isComplete)
  }
}
