import Foundation
import Host
import ScanFiles

/// What the demonstration shows of its run, in one picture:
///
/// ```
/// title
/// ┌───────────┬────┐ ┌─────────────────┐
/// │   axial   │ s. │ │    residuals    │
/// │           │    │ └─────────────────┘
/// ├───────────┼────┤  facts
/// │  coronal  │ key│  …
/// └───────────┴────┘
/// ```
struct DemoFigure {
  let cuts: OrthogonalCuts
  let residuals: ResidualChart
  /// Facts of the run, each with its name, which are written one a line.
  let facts: [(name: String, value: String)]

  private static let (width, margin, gap) = (960.0, 24.0, 12.0)
  /// Where the axial cut begins.
  private static let top = 104.0
  /// The side of the axial cut.
  private static let edge = 384.0
  /// Left and upper edge of the chart, and its height.
  private static let (chartX, chartY, chartHeight) = (592.0, 112.0, 290.0)
  /// Where the facts begin, each line's height, and how far right of its name a value is.
  private static let (factsX, factsY, factHeight, valueOffset) = (540.0, 486.0, 20.0, 94.0)
  private static let title = "Slipring: a noisy foam, reconstructed while it is scanned"
  private static let caption = "Three cuts through the middle of the volume, and the residual of each update."

  /// Draws it.
  /// - Throws: `FileError` where libpng fails.
  func draw() throws(FileError) -> SVG {
    let scale = Self.edge / Double(cuts.columns)
    let depth = scale * Double(cuts.slices)
    let axial = SVG.Box(x: Self.margin, y: Self.top, width: Self.edge, height: Self.edge)
    let sagittal = SVG.Box(x: axial.right + Self.gap, y: axial.y, width: depth, height: Self.edge)
    let coronal = SVG.Box(x: axial.x, y: axial.bottom + 28, width: Self.edge, height: depth)
    var svg = SVG(width: Self.width, height: coronal.bottom + Self.margin, title: "\(Self.title). \(Self.caption)")
    svg.text(Self.title, at: .init(x: Self.margin, y: 42), size: 21, isBold: true)
    svg.text(Self.caption, at: .init(x: Self.margin, y: 66), .muted, size: 14)
    try draw(cuts.axial, columns: cuts.columns, "z = \(cuts.slices / 2) (x →, y ↓)", on: &svg, in: axial)
    try draw(cuts.sagittal, columns: cuts.slices, "x = \(cuts.columns / 2) (z →)", on: &svg, in: sagittal)
    try draw(cuts.coronal, columns: cuts.columns, "y = \(cuts.columns / 2) (x →, z ↓)", on: &svg, in: coronal)
    try drawKey(on: &svg, x: sagittal.x, y: coronal.y, scale: scale)
    residuals.draw(
      on: &svg,
      in: .init(
        x: Self.chartX, y: Self.chartY, width: Self.width - Self.margin - Self.chartX, height: Self.chartHeight))
    for (line, fact) in facts.enumerated() {
      let y = Self.factsY + Double(line) * Self.factHeight
      svg.text(fact.name, at: .init(x: Self.factsX, y: y), .muted, size: 13)
      svg.text(fact.value, at: .init(x: Self.factsX + Self.valueOffset, y: y), size: 13)
    }
    return svg
  }

  private func draw(
    _ grey: [UInt8], columns: Int, _ title: String, on svg: inout SVG, in box: SVG.Box
  ) throws(FileError) {
    svg.text(title, at: .init(x: box.x, y: box.y - 8), .muted)
    svg.image(png: try encodePNG(name: title, columns: columns, rows: grey.count / columns, grey: grey), in: box)
  }

  /// A bar of some pixels, and what black and white are.
  private func drawKey(on svg: inout SVG, x: Double, y: Double, scale: Double) throws(FileError) {
    let length = max(cuts.columns / 4, 1)
    let right = x + Double(length) * scale
    svg.line([.init(x: x, y: y + 2), .init(x: right, y: y + 2)], .ink, width: 4)
    svg.text("\(length) pixels", at: .init(x: x, y: y + 18))
    svg.text("attenuation", at: .init(x: x, y: y + 42), .muted)
    let ramp = try encodePNG(name: "ramp", columns: 256, rows: 1, grey: Array(0...255))
    svg.image(png: ramp, in: .init(x: x, y: y + 48, width: right - x, height: 12))
    svg.text(Self.thousandths(cuts.range.lowerBound), at: .init(x: x, y: y + 73))
    svg.text(Self.thousandths(cuts.range.upperBound), at: .init(x: right, y: y + 73), anchor: .end)
    svg.text("1/pixel", at: .init(x: (x + right) / 2, y: y + 90), .muted, anchor: .middle)
  }

  private static func thousandths(_ value: Float) -> String {
    // Adding zero makes one of a rounded −0.
    String(format: "%.3f", (1000 * value).rounded() / 1000 + 0).replacing("-", with: "−")
  }
}
