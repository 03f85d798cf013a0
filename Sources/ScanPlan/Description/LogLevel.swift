/// The least serious messages that a run's logs hold.
package enum LogLevel: String, CaseIterable, Sendable, ScanValue {
  /// Everything.
  case debug
  /// What each process did, and when.
  case info
  /// What a person may want to know: decisions, ends, what each stage took.
  case notice
  /// What was lost, killed, or is slower than it should be.
  case warning
  /// Why the run failed.
  case error
}
