/// A plane and smaller ones of it, each of the means of 2 × 2 values of the one before, until it fits into one tile.
///
/// NaN does not count: a mean is over the other values, and NaN where there is none. At an odd edge it is over the two
/// values, or the one, that are left.
package struct PlanePyramid: Sendable {
  /// One level; 0 is the plane itself.
  package struct Level: Sendable {
    package let columns: Int
    package let rows: Int
    package let values: [Float]
  }

  package let levels: [Level]

  /// Edge of a tile, in values.
  package static let tileEdge = 256

  package init(_ plane: Plane) {
    var levels = [Level(columns: plane.columns, rows: plane.rows, values: plane.values)]
    while let last = levels.last, max(last.columns, last.rows) > Self.tileEdge { levels.append(Self.half(of: last)) }
    self.levels = levels
  }

  /// How many levels a plane has.
  package static func levelCount(columns: Int, rows: Int) -> Int {
    var (edge, count) = (max(columns, rows), 1)
    while edge > tileEdge { (edge, count) = ((edge + 1) / 2, count + 1) }
    return count
  }

  /// Bytes of all levels.
  package var byteCount: Int { levels.reduce(0) { $0 + $1.values.count * MemoryLayout<Float>.stride } }

  private static func half(of level: Level) -> Level {
    let (columns, rows) = ((level.columns + 1) / 2, (level.rows + 1) / 2)
    let values = level.values.withUnsafeBufferPointer { source in
      [Float](unsafeUninitializedCapacity: columns * rows) { target, count in
        for row in 0..<rows {
          let above = 2 * row * level.columns
          let below = 2 * row + 1 < level.rows ? above + level.columns : nil
          for column in 0..<columns {
            let right = 2 * column + 1 < level.columns
            var (sum, number) = (Float(0), Float(0))
            func add(_ value: Float) {
              if !value.isNaN { (sum, number) = (sum + value, number + 1) }
            }
            add(source[above + 2 * column])
            if right { add(source[above + 2 * column + 1]) }
            if let below {
              add(source[below + 2 * column])
              if right { add(source[below + 2 * column + 1]) }
            }
            (target.baseAddress! + row * columns + column).initialize(to: number > 0 ? sum / number : .nan)
          }
        }
        count = columns * rows
      }
    }
    return Level(columns: columns, rows: rows, values: values)
  }

  /// The values of a tile, line by line; smaller at the right and at the bottom. Nil where there is no such tile.
  package func tile(level: Int, row: Int, column: Int) -> Tile? {
    guard levels.indices.contains(level) else { return nil }
    let (plane, edge) = (levels[level], Self.tileEdge)
    // Compared before it is multiplied: the numbers are somebody else's.
    guard (0...plane.rows / edge).contains(row), (0...plane.columns / edge).contains(column) else { return nil }
    let (top, left) = (row * edge, column * edge)
    guard top < plane.rows, left < plane.columns else { return nil }
    let (width, height) = (min(edge, plane.columns - left), min(edge, plane.rows - top))
    return Tile(
      columns: width, rows: height,
      values: (0..<height).flatMap { line in
        let start = (top + line) * plane.columns + left
        return plane.values[start..<start + width]
      })
  }
}

/// A piece of a plane as it is sent.
package struct Tile: Sendable {
  package let columns: Int
  package let rows: Int
  package let values: [Float]

  package init(columns: Int, rows: Int, values: [Float]) {
    precondition(values.count == columns * rows, "\(columns) × \(rows): \(values.count)")
    (self.columns, self.rows, self.values) = (columns, rows, values)
  }

  /// The code of what is no number.
  package static let notFinite = UInt16.max
  private static let codeMax = Float(UInt16.max - 1)

  /// Little-endian float32, exactly.
  package var float32: [UInt8] { values.withUnsafeBytes { Array($0) } }

  /// Little-endian 16-bit codes: 0 stands for `low`, 65,534 for `high`, 65,535 for what is no finite number.
  package var codes: (low: Float, high: Float, bytes: [UInt8]) {
    var (low, high) = (Float.infinity, -Float.infinity)
    for value in values where value.isFinite { (low, high) = (min(low, value), max(high, value)) }
    guard low <= high else { return (0, 0, [UInt8](repeating: 255, count: 2 * values.count)) }
    // Halved, so that the widest range has a width.
    let width = high / 2 - low / 2
    let scale = width > 0 ? Self.codeMax / 2 / width : 0
    let codes = values.map { value -> UInt16 in
      value.isFinite ? UInt16(min(Self.codeMax, ((value / 2 - low / 2) * scale * 2).rounded())) : Self.notFinite
    }
    return (low, high, codes.withUnsafeBytes { Array($0) })
  }
}
