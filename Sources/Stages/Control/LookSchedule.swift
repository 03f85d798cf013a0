package import RunModel

/// After which updates the monitored slices are looked at, and which two are compared: as many updates apart each time,
/// however many projections that is.
///
/// ```
/// updates      ·····························
/// looked at    |      |      |      |      |
///              └────── compared ──────────┘
/// ```
package struct LookSchedule: Equatable, Sendable {
  /// Updates between two volumes that are compared.
  package let distance: Int
  /// Updates from one look to the next.
  package let spacing: Int

  /// Looks at a slice in the distance of two that are compared, for a short one all updates: the fewest of these that
  /// divide it.
  private static let looksPerDistance = 4...7
  /// Looks that are kept for a control that is behind, or not there: as many as this memory holds, within limits.
  private static let spareByteCount = 32 << 20
  private static let spareLooks = 3...1000

  /// At least `updates` apart: a distance of more than seven that no number of looks divides is made longer.
  package init(updates: Int) {
    precondition(updates > 0, "volumes \(updates) updates apart")
    let looks = Self.looksPerDistance.first { updates % $0 == 0 } ?? Self.looksPerDistance.lowerBound
    spacing = updates <= Self.looksPerDistance.upperBound ? 1 : updates / looks
    distance = (updates + spacing - 1) / spacing * spacing
  }

  /// The slices that each worker keeps for it.
  package func history(columns: Int) -> SliceHistory.Shape {
    let spare = Self.spareByteCount / (columns * columns * MemoryLayout<Float>.stride)
    let limits = Self.spareLooks
    return SliceHistory.Shape(
      columns: columns, spacing: spacing,
      slots: distance / spacing + 1 + min(max(spare, limits.lowerBound), limits.upperBound))
  }
}
