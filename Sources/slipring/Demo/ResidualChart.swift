import Glibc

/// The relative residual before each update of a run, on a logarithmic scale: windowed updates left of the mark, final
/// sweeps right of it.
struct ResidualChart {
  private let window: [Double]
  private let final: [Double]
  /// Powers of ten at the bottom and at the top.
  private let decades: ClosedRange<Int>

  /// Residuals are ‖b − A x‖ / ‖b‖. What is no number is left out; what is below `residualMin` is shown there.
  init(window: [Double], final: [Double]) {
    (self.window, self.final) = (window, final)
    let shown = (window + final).filter(\.isFinite).map { max($0, Self.residualMin) }
    let highest = Int(log10(shown.max() ?? 1).rounded(.up))
    decades = min(Int(log10(shown.min() ?? 1).rounded(.down)), highest - 1)...highest
  }

  private static let residualMin = 1e-6

  /// Draws it with the curve inside `plot`; the texts need 64 pixels left of it, 40 below and 24 above.
  func draw(on svg: inout SVG, in plot: SVG.Box) {
    let scale = Scale(plot: plot, decades: decades, last: max(window.count + final.count - 1, 1))
    // Between the last windowed update and the first final iteration.
    let mark = window.isEmpty || final.isEmpty ? nil : scale.x(Double(window.count) - 0.5)
    if let mark {
      svg.rectangle(.init(x: mark, y: plot.y, width: plot.right - mark, height: plot.height), .tint)
    }
    drawResidualAxis(on: &svg, scale)
    drawUpdateAxis(on: &svg, scale)
    if let mark { svg.line([.init(x: mark, y: plot.y), .init(x: mark, y: plot.bottom)], .muted, dash: 4) }
    let above = plot.y - 8
    svg.text("\(window.count) updates", at: .init(x: plot.x, y: above), .blue, isBold: true)
    svg.text("\(final.count) final sweeps", at: .init(x: plot.right, y: above), .orange, anchor: .end, isBold: true)
    drawCurve(window, from: 0, on: &svg, scale, .blue)
    drawCurve(final, from: window.count, on: &svg, scale, .orange)
  }

  private func drawCurve(
    _ residuals: [Double], from first: Int, on svg: inout SVG, _ scale: Scale, _ colour: SVG.Colour
  ) {
    let points = residuals.enumerated().filter(\.element.isFinite).map { index, residual in
      SVG.Point(x: scale.x(Double(first + index)), y: scale.y(max(residual, Self.residualMin)))
    }
    svg.line(points, colour, width: 1.75)
  }

  private func drawResidualAxis(on svg: inout SVG, _ scale: Scale) {
    let plot = scale.plot
    for decade in decades {
      let y = scale.y(pow(10, Double(decade)))
      svg.line([.init(x: plot.x, y: y), .init(x: plot.right, y: y)], .grid)
      svg.text(Self.percent(decade), at: .init(x: plot.x - 8, y: y + 4), .muted, anchor: .end)
      guard decade < decades.upperBound else { continue }
      for factor in 2...9 {
        let y = scale.y(Double(factor) * pow(10, Double(decade)))
        svg.line([.init(x: plot.x, y: y), .init(x: plot.x + 4, y: y)], .muted)
      }
    }
    svg.line([.init(x: plot.x, y: plot.y), .init(x: plot.x, y: plot.bottom)], .muted)
    svg.text(
      "relative residual", at: .init(x: plot.x - 54, y: plot.y + plot.height / 2), anchor: .middle, isTurned: true)
  }

  private func drawUpdateAxis(on svg: inout SVG, _ scale: Scale) {
    let plot = scale.plot
    svg.line([.init(x: plot.x, y: plot.bottom), .init(x: plot.right, y: plot.bottom)], .muted)
    for index in stride(from: 0, through: scale.last, by: Self.step(last: scale.last)) {
      let x = scale.x(Double(index))
      svg.line([.init(x: x, y: plot.bottom), .init(x: x, y: plot.bottom + 4)], .muted)
      svg.text("\(index)", at: .init(x: x, y: plot.bottom + 18), .muted, anchor: .middle)
    }
    svg.text("updates so far", at: .init(x: plot.x + plot.width / 2, y: plot.bottom + 36), anchor: .middle)
  }

  /// 1, 2 or 5 times a power of ten, so that there are at most six ticks from 0 to `last`.
  static func step(last: Int) -> Int {
    var power = 1
    while true {
      for factor in [1, 2, 5] where last / (factor * power) <= 5 { return factor * power }
      power *= 10
    }
  }

  private static func percent(_ decade: Int) -> String {
    switch decade {
    case (-2)...: "1" + String(repeating: "0", count: decade + 2) + " %"
    default: "0." + String(repeating: "0", count: -decade - 3) + "1 %"
    }
  }

  /// Where updates and residuals are in the picture.
  private struct Scale {
    let plot: SVG.Box
    let decades: ClosedRange<Int>
    /// The update at the right edge.
    let last: Int

    func x(_ update: Double) -> Double { plot.x + update / Double(last) * plot.width }

    func y(_ residual: Double) -> Double {
      plot.bottom - (log10(residual) - Double(decades.lowerBound)) / Double(decades.count - 1) * plot.height
    }
  }
}
