/// Rows of a scan that travel together: equally many each, the last ones fewer.
package struct Granules: Codable, Equatable, Sendable {
  /// Rows of the whole detector.
  let rows: Int
  /// Rows of each granule but the last.
  package let each: Int

  /// Cuts `rows` into granules.
  package init(rows: Int, each: Int) {
    precondition(rows > 0 && each > 0, "\(rows) rows in granules of \(each)")
    (self.rows, self.each) = (rows, each)
  }

  /// How many there are.
  package var count: Int { (rows + each - 1) / each }

  /// The rows of one.
  package subscript(granule: Int) -> Range<Int> {
    precondition((0..<count).contains(granule), "granule \(granule) of \(count)")
    return granule * each..<min((granule + 1) * each, rows)
  }

  /// The same of what may be none; nil then.
  package func range(of granule: Int) -> Range<Int>? { (0..<count).contains(granule) ? self[granule] : nil }

  /// The rows of some consecutive ones.
  package func rows(of granules: Range<Int>) -> Range<Int> {
    precondition(!granules.isEmpty, "no granules")
    return self[granules.lowerBound].lowerBound..<self[granules.upperBound - 1].upperBound
  }
}
