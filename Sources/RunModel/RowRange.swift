/// Rows as people and programs count them: as in the names of slices, and the last one is among them.
package struct RowRange: Codable, Equatable, Sendable, CustomStringConvertible {
  /// The first one.
  package var first: Int
  /// The last one.
  package var last: Int

  /// Rows of the volume, whose first one has the number `firstSlice`.
  package init(_ rows: Range<Int>, firstSlice: Int) {
    precondition(!rows.isEmpty, "a worker without rows")
    (first, last) = (firstSlice + rows.lowerBound, firstSlice + rows.upperBound - 1)
  }

  /// As in messages: `row 3`, `rows 3 to 5`.
  package var description: String { first == last ? "row \(first)" : "rows \(first) to \(last)" }

  /// Several in one list, as in messages.
  package static func list(_ ranges: [RowRange]) -> String { ranges.map(\.description).joined(separator: ", ") }
}
