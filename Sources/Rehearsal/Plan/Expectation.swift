import Host

/// What must hold of a rehearsal: `lost <= 0`.
struct Expectation: Equatable, Sendable {
  /// What is looked at.
  enum Subject: String, CaseIterable, Sendable {
    /// Projections that were sent or measured and are not in the volume.
    case lost
    /// Projections for which the detector's memory had no place.
    case overrun
    /// Seconds from when a projection was acquired to when the slowest worker has taken it, of the slowest hundredth.
    case latency = "latency-p99"
    /// Windowed updates and final iterations that were made.
    case updates
    /// Stages that were started again, in all.
    case restarts
    /// From the start of the run to its end.
    case seconds
    /// The code that the run ends with.
    case exit
    /// Whether the volume is that of a run without faults.
    case volume
  }

  /// How it is compared.
  enum Relation: String, CaseIterable, Sendable {
    case atMost = "<="
    case atLeast = ">="
    case equal = "="
    case less = "<"
    case more = ">"

    func holds(_ seen: Double, _ wanted: Double) -> Bool {
      switch self {
      case .atMost: seen <= wanted
      case .atLeast: seen >= wanted
      case .equal: seen == wanted
      case .less: seen < wanted
      case .more: seen > wanted
      }
    }
  }

  /// How it came out.
  enum Verdict: String, Codable, CaseIterable, Sendable {
    case holds
    case broken
    /// It cannot be known, which is not enough.
    case unknown
  }

  let subject: Subject
  private let relation: Relation
  private let value: Double
  /// As it was written.
  let text: String

  static let forms =
    Subject.allCases.map(\.rawValue).joined(separator: ", ") + "; then <=, <, =, > or >=; then a number, or 2s for "
    + "latency-p99; and volume = same"

  /// Reads a line; nil where it is none.
  init?(_ text: String) {
    let words = text.split(separator: " ").map(String.init)
    guard words.count == 3, let subject = Subject(rawValue: words[0]), let relation = Relation(rawValue: words[1])
    else { return nil }
    switch subject {
    case .volume:
      guard relation == .equal, words[2] == "same" else { return nil }
      value = 1
    case .latency, .seconds:
      guard let seconds = PlanWords.seconds(words[2]) ?? Self.number(words[2]) else { return nil }
      value = seconds
    case .lost, .overrun, .updates, .restarts, .exit:
      guard let count = Int(written: words[2]), count >= 0 else { return nil }
      value = Double(count)
    }
    (self.subject, self.relation) = (subject, relation)
    self.text = words.joined(separator: " ")
  }

  private static func number(_ text: String) -> Double? {
    Double(written: text).flatMap { (0...1e6).contains($0) ? $0 : nil }
  }

  /// What came of it, for what was seen; nil for what cannot be known.
  func verdict(_ seen: Double?) -> Verdict {
    guard let seen, seen.isFinite else { return .unknown }
    return relation.holds(seen, value) ? .holds : .broken
  }
}
