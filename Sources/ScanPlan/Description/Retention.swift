import Host

/// How long the run folder stays after success: `keep`, `none`, or a number of days.
package enum Retention: Equatable, Sendable {
  /// Until somebody deletes it.
  case keep
  /// Not at all, once the output is written, read back and found to be what was written.
  case none
  /// So many days after the run finished; a later run that lies beside it removes it then.
  case days(Int)

  /// A century: no arithmetic on it overflows.
  private static let daysRange = 1...36_500

  /// Reads `keep`, `none` or `30`.
  package init?(_ text: String) {
    switch text {
    case "keep": self = .keep
    case "none": self = .none
    default:
      guard let days = Int(written: text), Self.daysRange.contains(days) else { return nil }
      self = .days(days)
    }
  }

  /// As it is written on the command line.
  package var text: String {
    switch self {
    case .keep: "keep"
    case .none: "none"
    case .days(let days): "\(days)"
    }
  }
}
