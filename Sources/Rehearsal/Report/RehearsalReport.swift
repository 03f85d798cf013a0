import Host

/// What came of a rehearsal: what `--json` prints.
package struct RehearsalReport: Codable, Equatable, Sendable {
  /// A fault, and what was seen of it.
  struct FaultRow: Codable, Equatable, Sendable {
    /// As the plan has it.
    let fault: String
    /// What it meant: the stage that was chosen, for a kill of any.
    var target: String?
    /// Seconds from the first frame at which it was done; nil where it was not.
    var done: Double?
    /// What was seen of it.
    var seen: String
  }

  /// An expectation, and what was seen.
  struct ExpectationRow: Codable, Equatable, Sendable {
    /// As the plan has it.
    let expectation: String
    /// What was seen, for people.
    let seen: String
    /// How it came out.
    let verdict: Expectation.Verdict
  }

  /// What was drawn from it: the phantom, and stages to be killed.
  let seed: UInt64
  /// What the plan alone told.
  let predictions: [String]
  /// In the order in which they were due.
  let faults: [FaultRow]
  /// In the order of the plan.
  let expectations: [ExpectationRow]
  /// What the run said last where it failed; nil where it did not.
  let failure: String?

  /// Why this is no success: what does not hold, and what was not done; nil where all is well.
  package var problem: String? {
    let broken = expectations.count { $0.verdict != .holds }, undone = faults.count { $0.done == nil }
    let words = [
      broken > 0
        ? "\(broken) of \(counted(expectations.count, "expectation")) \(broken == 1 ? "does" : "do") not hold" : nil,
      undone > 0 ? "\(undone) of \(counted(faults.count, "fault")) could not be done" : nil,
    ].compactMap { $0 }
    return words.isEmpty ? nil : words.joined(separator: ", and ")
  }

  /// Two tables for people, with what was predicted above them.
  package var lines: [String] {
    var lines = predictions.map { "predicted  \($0)" } + [""]
    if !faults.isEmpty {
      lines +=
        Self.table(
          [["fault", "done", "seen"]]
            + faults.map { row in
              let target = row.target.map { " (\($0))" } ?? ""
              return [row.fault + target, row.done.map { PlanWords.text($0) } ?? "not done", row.seen]
            }) + [""]
    }
    lines += Self.table(
      [["expected", "seen", ""]] + expectations.map { [$0.expectation, $0.seen, $0.verdict.rawValue] })
    return lines + (failure.map { ["", "the run said: \($0)"] } ?? [])
  }

  private static func table(_ rows: [[String]]) -> [String] {
    let widths = (0..<3).map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      let text = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: "  ")
      return String(text.reversed().drop { $0 == " " }.reversed())
    }
  }
}
