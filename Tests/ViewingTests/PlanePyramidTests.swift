import Testing
import Viewing

@Suite struct PlanePyramidTests {
  private func plane(columns: Int, rows: Int) -> Plane {
    var values = (0..<columns * rows).map { Float(($0 * 7919) % 1000) / 8 }
    for place in stride(from: 3, to: values.count, by: 11) { values[place] = .nan }
    return Plane(columns: columns, rows: rows, values: values, generations: [1])
  }

  @Test(
    "A level has the means of 2 × 2 values of the one before; what is no number does not count",
    arguments: [(1, 1), (2000, 1), (65, 100), (300, 257), (513, 512)])
  func means(columns: Int, rows: Int) throws {
    let pyramid = PlanePyramid(plane(columns: columns, rows: rows))
    #expect(pyramid.levels.count == PlanePyramid.levelCount(columns: columns, rows: rows))
    for (above, level) in zip(pyramid.levels, pyramid.levels.dropFirst()) {
      #expect(level.columns == (above.columns + 1) / 2 && level.rows == (above.rows + 1) / 2)
      for row in 0..<level.rows {
        for column in 0..<level.columns {
          let parts = [0, 1].flatMap { y in
            [0, 1].compactMap { x -> Float? in
              let (line, pixel) = (2 * row + y, 2 * column + x)
              guard line < above.rows, pixel < above.columns else { return nil }
              let value = above.values[line * above.columns + pixel]
              return value.isNaN ? nil : value
            }
          }
          let mean = level.values[row * level.columns + column]
          #expect(parts.isEmpty ? mean.isNaN : mean == parts.reduce(0, +) / Float(parts.count))
        }
      }
    }
    let last = try #require(pyramid.levels.last)
    #expect(max(last.columns, last.rows) <= PlanePyramid.tileEdge)
  }

  @Test(
    "Tiles are the plane, cut into pieces; there are no others",
    arguments: [(1, 1), (2000, 1), (65, 100), (300, 257)])
  func tiles(columns: Int, rows: Int) throws {
    let plane = plane(columns: columns, rows: rows)
    let pyramid = PlanePyramid(plane)
    let edge = PlanePyramid.tileEdge
    for row in 0...(rows - 1) / edge {
      for column in 0...(columns - 1) / edge {
        let tile = try #require(pyramid.tile(level: 0, row: row, column: column))
        #expect(tile.columns == min(edge, columns - column * edge) && tile.rows == min(edge, rows - row * edge))
        for line in 0..<tile.rows {
          let start = (row * edge + line) * columns + column * edge
          let own = tile.values[line * tile.columns..<(line + 1) * tile.columns]
          #expect(own.map(\.bitPattern) == plane.values[start..<start + tile.columns].map(\.bitPattern))
        }
      }
    }
    for (level, row, column) in [(0, 999_999, 0), (0, 0, 999_999), (99, 0, 0), (0, (rows + 255) / 256, 0), (-1, 0, 0)] {
      #expect(pyramid.tile(level: level, row: row, column: column) == nil)
    }
  }

  @Test("A tile's codes are within half a step of its values, and say where there is no number")
  func codes() {
    let values: [Float] = [-3.5, .nan, 0, 1.25, .infinity, 6.5]
    let (low, high, bytes) = Tile(columns: 3, rows: 2, values: values).codes
    #expect(low == -3.5 && high == 6.5)
    for (value, place) in zip(values, stride(from: 0, to: bytes.count, by: 2)) {
      let code = UInt16(bytes[place]) | UInt16(bytes[place + 1]) << 8
      #expect((code == Tile.notFinite) == !value.isFinite)
      let decoded: Float = low + Float(code) / 65534 * (high - low)
      if value.isFinite { #expect(abs(decoded - value) <= Float(10) / 65534) }
    }
    #expect(Tile(columns: 1, rows: 1, values: [.nan]).codes.bytes == [255, 255])
    #expect(Tile(columns: 2, rows: 1, values: [4, 4]).codes.bytes == [0, 0, 0, 0])
    let widest = Tile(columns: 2, rows: 1, values: [-.greatestFiniteMagnitude, .greatestFiniteMagnitude]).codes
    #expect(widest.bytes == [0, 0, 0xFE, 0xFF])
  }
}
