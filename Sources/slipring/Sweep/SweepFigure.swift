import Host
import ScanFiles

/// One slice for each value, side by side with its value above, all with the same range of grey.
struct SweepFigure {
  let title: String
  let slices: [(label: String, columns: Int, grey: [UInt8])]
  /// Place of the slice that is named the best.
  let best: Int?

  private static let (margin, gap, top, edge) = (24.0, 12.0, 76.0, 224.0)
  /// Slices of a line.
  private static let slicesPerLine = 6

  /// Draws it.
  /// - Throws: `FileError` where libpng fails.
  func draw() throws(FileError) -> SVG {
    let across = min(slices.count, Self.slicesPerLine), lines = (slices.count + across - 1) / across
    let cell = Self.edge + Self.gap
    var svg = SVG(
      width: max(480, 2 * Self.margin + Double(across) * cell - Self.gap),
      height: Self.top + Double(lines) * (cell + 24), title: title)
    svg.text(title, at: .init(x: Self.margin, y: 36), size: 18, isBold: true)
    for (index, slice) in slices.enumerated() {
      let box = SVG.Box(
        x: Self.margin + Double(index % across) * cell, y: Self.top + Double(index / across) * (cell + 24),
        width: Self.edge, height: Self.edge)
      let isBest = index == best
      svg.text(
        slice.label + (isBest ? ", the sharpest" : ""), at: .init(x: box.x, y: box.y - 8), isBest ? .orange : .ink,
        size: 13, isBold: isBest)
      svg.image(
        png: try encodePNG(name: slice.label, columns: slice.columns, rows: slice.columns, grey: slice.grey), in: box)
    }
    return svg
  }
}
