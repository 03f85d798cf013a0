/// What a plan may say, for the help of a command.
package enum RehearsalHelp {
  /// Faults, as they are written.
  package static let faults = RehearsalFault.forms
  /// Expectations, as they are written.
  package static let expectations = Expectation.forms
}
