/// Where the rotation axis of a scan is, as its projections show it.
package struct FoundAxis: Equatable, Sendable {
  /// From the detector's left edge: in columns of a projection's payload where orders say it, in pixels of the detector
  /// where people read it.
  package let axis: Double
  /// Its standard error in the same unit.
  package let error: Double

  /// As given.
  package init(_ axis: Double, error: Double) { (self.axis, self.error) = (axis, error) }

  /// What stands in an event.
  init(axis: Double, error: Double) throws(EventError) {
    guard axis.isFinite, axis > 0, error.isFinite, error >= 0 else { throw .malformed("an axis at \(axis) ± \(error)") }
    self.init(axis, error: error)
  }

  /// Nobody knows where it is: the middle of so many columns, which may be wrong by as much.
  package static func middle(ofColumns columns: Int) -> FoundAxis {
    FoundAxis(0.5 * Double(columns), error: 0.5 * Double(columns))
  }

  /// Whether it is no more than a guess: anywhere between the detector's edge and here.
  package var isGuess: Bool { error >= axis }

  /// The same where a pixel is `factor` as wide.
  package func scaled(by factor: Double) -> FoundAxis { FoundAxis(axis * factor, error: error * factor) }
}
