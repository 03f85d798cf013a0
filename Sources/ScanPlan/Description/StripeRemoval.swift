/// What is done about stripes in sinograms, which become rings in slices.
package enum StripeRemoval: String, CaseIterable, Sendable {
  /// Nothing.
  case none
  /// Vo's algorithms for stripes of all kinds.
  case vo
}
