import Host
import ScanFiles

/// One slice for each value as a picture of grey pixels, each under its value: what `SweepFigure` draws, for programs
/// that show no SVG.
struct SweepStrip {
  let slices: [(label: String, columns: Int, grey: [UInt8])]
  /// Place of the slice that is named the best.
  let best: Int?

  /// Pixels: the edge of a slice, between slices, above them, and of a letter's dot.
  private static let (edge, gap, top, dot) = (240, 12, 28, 2)
  /// Slices of a line.
  private static let slicesPerLine = 6
  private static let (paper, ink): (UInt8, UInt8) = (0, 255)

  /// The bytes of a PNG.
  /// - Throws: `FileError` where libpng fails.
  func draw(name: String) throws(FileError) -> [UInt8] {
    let across = min(slices.count, Self.slicesPerLine), lines = (slices.count + across - 1) / across
    var picture = Canvas(
      columns: across * (Self.edge + Self.gap) + Self.gap, rows: lines * (Self.top + Self.edge + Self.gap),
      paper: Self.paper)
    for (index, slice) in slices.enumerated() {
      let x = Self.gap + index % across * (Self.edge + Self.gap)
      let y = index / across * (Self.top + Self.edge + Self.gap)
      let label = Self.fitting(slice.label, mark: index == best ? " (sharpest)" : "")
      picture.write(label, x: x, y: y + (Self.top - PixelFont.height * Self.dot) / 2, dot: Self.dot, ink: Self.ink)
      if index == best { picture.frame(x: x, y: y + Self.top, edge: Self.edge, width: 3, ink: Self.ink) }
      picture.place(slice.grey, columns: slice.columns, x: x, y: y + Self.top, edge: Self.edge)
    }
    return try encodePNG(name: name, columns: picture.columns, rows: picture.rows, grey: picture.grey)
  }

  /// As much of a label as stands above a slice, its end left out.
  private static func fitting(_ label: String, mark: String) -> String {
    let most = edge / (PixelFont.advance * dot) - mark.count
    return (label.count <= most ? label : "\(label.prefix(max(0, most - 2)))..") + mark
  }
}

/// Grey pixels that are drawn on.
private struct Canvas {
  let columns: Int
  let rows: Int
  private(set) var grey: [UInt8]

  init(columns: Int, rows: Int, paper: UInt8) {
    (self.columns, self.rows) = (columns, rows)
    grey = [UInt8](repeating: paper, count: columns * rows)
  }

  mutating func write(_ text: String, x: Int, y: Int, dot: Int, ink: UInt8) {
    for pixel in PixelFont.pixels(text) { fill(x: x + pixel.x * dot, y: y + pixel.y * dot, dot, dot, ink) }
  }

  /// A line around a square.
  mutating func frame(x: Int, y: Int, edge: Int, width: Int, ink: UInt8) {
    fill(x: x - width, y: y - width, edge + 2 * width, edge + 2 * width, ink)
  }

  /// A square picture, made to fit by taking the nearest pixel.
  mutating func place(_ picture: [UInt8], columns count: Int, x: Int, y: Int, edge: Int) {
    for row in 0..<edge {
      for column in 0..<edge {
        grey[(y + row) * columns + x + column] = picture[row * count / edge * count + column * count / edge]
      }
    }
  }

  private mutating func fill(x: Int, y: Int, _ width: Int, _ height: Int, _ ink: UInt8) {
    for row in max(0, y)..<min(rows, y + height) {
      for column in max(0, x)..<min(columns, x + width) { grey[row * columns + column] = ink }
    }
  }
}
