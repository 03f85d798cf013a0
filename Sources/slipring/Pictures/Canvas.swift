import Host
import ScanFiles
import Tomography

/// A grey picture to paste slices into and draw curves on. Points outside are left out.
struct Canvas {
  let columns: Int
  let rows: Int
  private(set) var grey: [UInt8]

  init(columns: Int, rows: Int, background: UInt8) {
    self.columns = columns
    self.rows = rows
    grey = Array(repeating: background, count: columns * rows)
  }

  mutating func set(_ x: Int, _ y: Int, _ value: UInt8) {
    if (0..<columns).contains(x), (0..<rows).contains(y) { grey[y * columns + x] = value }
  }

  /// Pastes an image, each of its pixels as scale × scale.
  mutating func paste(_ image: [UInt8], columns width: Int, atX x: Int, y: Int, scale: Int = 1) {
    for (index, value) in image.enumerated() {
      for dy in 0..<scale {
        for dx in 0..<scale { set(x + index % width * scale + dx, y + index / width * scale + dy, value) }
      }
    }
  }

  /// A straight line, both ends included.
  mutating func line(from a: (x: Int, y: Int), to b: (x: Int, y: Int), _ value: UInt8) {
    let steps = max(abs(b.x - a.x), abs(b.y - a.y), 1)
    for step in 0...steps { set(a.x + (b.x - a.x) * step / steps, a.y + (b.y - a.y) * step / steps, value) }
  }

  /// Writes digits, `.`, `%` and the letters of the axis titles; other characters are blank. A glyph is 3 × 5 pixels times `scale`.
  mutating func text(_ text: String, atX x: Int, y: Int, scale: Int, _ value: UInt8) {
    for (position, character) in text.enumerated() {
      guard let glyph = Self.glyphs[character] else { continue }
      for bit in 0..<15 where glyph >> (14 - bit) & 1 == 1 {
        let (column, row) = (x + (position * 4 + bit % 3) * scale, y + bit / 3 * scale)
        for dy in 0..<scale { for dx in 0..<scale { set(column + dx, row + dy, value) } }
      }
    }
  }

  /// Fifteen bits a glyph: five rows of three, the top left one first.
  private static let glyphs: [Character: UInt16] = [
    "0": 0b111_101_101_101_111, "1": 0b010_110_010_010_111, "2": 0b111_001_111_100_111, "3": 0b111_001_111_001_111,
    "4": 0b101_101_111_001_001, "5": 0b111_100_111_001_111, "6": 0b111_100_111_101_111, "7": 0b111_001_010_010_010,
    "8": 0b111_101_111_101_111, "9": 0b111_101_111_001_111, ".": 0b000_000_000_000_010, "%": 0b101_001_010_100_101,
    "a": 0b010_101_111_101_101, "d": 0b110_101_101_101_110, "e": 0b111_100_110_100_111, "i": 0b111_010_010_010_111,
    "l": 0b100_100_100_100_111, "n": 0b110_101_101_101_101, "o": 0b010_101_101_101_010, "p": 0b110_101_110_100_100,
    "r": 0b110_101_110_101_101, "s": 0b011_100_010_001_110, "t": 0b111_010_010_010_010, "u": 0b101_101_101_101_111,
  ]

  /// Writes the picture as PNG.
  func write(to path: String) throws(FileError) {
    try writePNG(path: path, columns: columns, rows: rows, grey: grey)
  }
}
