import Foundation

/// What a campaign found.
struct CampaignReport: Codable {
  /// How often a stage was killed at a point, how often it was stopped there and killed when it was taken for hung, and
  /// how often it crashed there.
  struct Kills: Codable {
    var killed = 0
    var stopped = 0
    var trapped = 0

    var all: Int { killed + stopped + trapped }

    /// Counts an order by its last word.
    mutating func add(_ order: String) {
      if order.hasSuffix(":stop") {
        stopped += 1
      } else if order.hasSuffix(":trap") {
        trapped += 1
      } else {
        killed += 1
      }
    }
  }

  /// Kills that happened, by stage and point.
  var killsByPoint: [String: [String: Kills]] = [:]
  /// Bits that flipped, by what they were of.
  var flips: [String: Campaign.Flips] = [:]
  var runs = 0
  /// Runs that did not end with success, by what they said.
  var failed: [String] = []
  var lost = 0
  var duplicated = 0
  /// Runs whose volume had other bits than the run without faults.
  var differing = 0
  /// Runs that control ended before their source did.
  var finalized = 0
  /// Runs whose supervisor was stopped for a while.
  var pauses = 0
  /// Bands that changed hands.
  var moves = 0
  /// Projections that a live source is known to have lost, with a process that had them in its hands.
  var missed = 0
  /// Milliseconds from a stage's death to the first useful work of its next process, by stage.
  var latencies: [String: [Double]] = [:]
  /// Deaths whose latency is not counted, because the next process waited for another stage that hung.
  var waits = 0

  var kills: Int { killsByPoint.values.reduce(0) { $0 + $1.values.reduce(0) { $0 + $1.all } } }

  var flipCount: Int { flips.values.reduce(0) { $0 + $1.count } }

  /// Whether every promise was kept.
  var isClean: Bool { failed.isEmpty && lost == 0 && duplicated == 0 && differing == 0 }

  func json() throws -> String { try Self.json(self) }

  static func json(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }

  /// A table for people.
  func table(seed: UInt64) -> String {
    if !flips.isEmpty { return flipTable(seed: seed) }
    var lines = ["stage             point             SIGKILL  SIGSTOP  SIGILL"]
    for (stage, points) in killsByPoint.sorted(by: { $0.key < $1.key }) {
      for (point, count) in points.sorted(by: { $0.key < $1.key }) {
        lines.append(
          "\(padded(stage)) \(padded(point)) \(padded("\(count.killed)", to: 8)) "
            + "\(padded("\(count.stopped)", to: 8)) \(count.trapped)")
      }
    }
    lines.append("")
    lines.append("restart to first useful work, ms    p50     p99     (of)")
    let all = latencies.values.flatMap { $0 }
    for (stage, values) in latencies.sorted(by: { $0.key < $1.key }) + [("all", all)] where !values.isEmpty {
      lines.append("\(padded(stage))                 \(rank(values, 0.5))    \(rank(values, 0.99))    \(values.count)")
    }
    if pauses > 0 { lines.append("\(pauses) runs had their supervisor stopped for a while") }
    if moves > 0 { lines.append("\(moves) bands changed hands, as workers came and went") }
    if missed > 0 {
      lines.append("\(missed) projections were lost on their way from the detector, and are in the counts")
    }
    if waits > 0 { lines.append("\(waits) waited for another stage that hung, and are not counted") }
    lines.append("")
    lines.append(
      "seed \(seed): \(runs) runs (\(finalized) ended early by control), \(kills) kills, \(lost) lost, "
        + "\(duplicated) duplicated, \(differing) differing volumes, \(failed.count) failed runs"
    )
    return (lines + failed.prefix(20)).joined(separator: "\n")
  }

  private func flipTable(seed: UInt64) -> String {
    let rows = flips.sorted { $0.key < $1.key }.map { kind, count in
      "\(padded(kind, to: 22)) \(padded("\(count.same)", to: 9)) \(padded("\(count.refused)", to: 8)) \(count.wrong)"
    }
    let end = "seed \(seed): \(flipCount) flips in \(runs) runs, \(failed.count) neither the same volume nor refused"
    return (["flipped                same bits refused  neither"] + rows + ["", end] + failed.prefix(20)).joined(
      separator: "\n")
  }

  private func padded(_ text: String, to width: Int = 17) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  /// The value that `share` of the values do not exceed, in tenths.
  private func rank(_ values: [Double], _ share: Double) -> String {
    let sorted = values.sorted()
    let value = sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
    return "\((value * 10).rounded() / 10)"
  }
}
