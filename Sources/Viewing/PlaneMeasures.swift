/// What the values in a rectangle are, of those that are finite numbers.
package struct RegionMeasure: Sendable, Equatable {
  package let count: Int
  package let mean: Double
  /// The root of the mean squared difference from the mean, as numpy's `std`.
  package let deviation: Double
  package let low: Float
  package let high: Float
}

extension Plane {
  /// The values in the columns and rows; nil where none of them is a finite number. The ranges are inside.
  package func measure(columns: Range<Int>, rows: Range<Int>) -> RegionMeasure? {
    precondition(
      columns.lowerBound >= 0 && columns.upperBound <= self.columns && rows.lowerBound >= 0
        && rows.upperBound <= self.rows, "\(columns), \(rows) in \(self.columns) × \(self.rows)")
    var (count, sum, low, high) = (0, 0.0, Float.infinity, -Float.infinity)
    func forEach(_ body: (Float) -> Void) {
      values.withUnsafeBufferPointer { values in
        for row in rows {
          for column in columns where values[row * self.columns + column].isFinite {
            body(values[row * self.columns + column])
          }
        }
      }
    }
    forEach { value in
      (count, sum) = (count + 1, sum + Double(value))
      (low, high) = (min(low, value), max(high, value))
    }
    guard count > 0 else { return nil }
    let mean = sum / Double(count)
    var squares = 0.0
    forEach { squares += (Double($0) - mean) * (Double($0) - mean) }
    return RegionMeasure(
      count: count, mean: mean, deviation: (squares / Double(count)).squareRoot(), low: low, high: high)
  }

  /// The values of the voxels nearest to a line, one a step along its longer direction. Both ends are inside.
  package func line(from start: (column: Int, row: Int), to end: (column: Int, row: Int)) -> [Float] {
    let (across, down) = (end.column - start.column, end.row - start.row)
    let steps = max(abs(across), abs(down))
    return (0...steps).map { step in
      let share = steps > 0 ? Double(step) / Double(steps) : 0
      let column = start.column + Int((Double(across) * share).rounded())
      let row = start.row + Int((Double(down) * share).rounded())
      return values[row * columns + column]
    }
  }
}
