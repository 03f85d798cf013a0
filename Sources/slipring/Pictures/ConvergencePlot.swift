import Glibc

/// The relative residual over the updates of a run, on a logarithmic scale: windowed updates left of the mark, final iterations right.
struct ConvergencePlot {
  let window: [Double]
  let final: [Double]

  private static let (ink, faint): (UInt8, UInt8) = (235, 90)
  private static let margin = 44

  /// Draws into a square of `size` pixels with its upper left corner at (x, y).
  func draw(on canvas: inout Canvas, atX x: Int, y: Int, size: Int) {
    let values = (window + final).map { max($0, 1e-6) }
    guard let highest = values.max(), let lowest = values.min() else { return }
    let decades = Int(log10(lowest).rounded(.down))...max(Int(log10(highest).rounded(.up)), Int(log10(lowest).rounded(.down)) + 1)
    let (left, bottom, edge) = (x + Self.margin, y + size - Self.margin, size - Self.margin - 8)
    func height(_ value: Double) -> Int {
      bottom - Int((log10(value) - Double(decades.lowerBound)) / Double(decades.count - 1) * Double(edge))
    }
    for decade in decades {
      let level = height(pow(10, Double(decade)))
      canvas.line(from: (left, level), to: (left + edge, level), Self.faint)
      canvas.text(Self.percent(decade), atX: x, y: level - 5, scale: 2, Self.ink)
    }
    func place(_ index: Int) -> Int { left + index * edge / max(values.count - 1, 1) }
    if !window.isEmpty, !final.isEmpty {
      canvas.line(from: (place(window.count), bottom), to: (place(window.count), bottom - edge), Self.faint)
    }
    for index in values.indices.dropFirst() {
      canvas.line(from: (place(index - 1), height(values[index - 1])), to: (place(index), height(values[index])), Self.ink)
    }
    canvas.text("0", atX: left, y: bottom + 8, scale: 2, Self.ink)
    canvas.text("\(values.count)", atX: left + edge - 8 * "\(values.count)".count, y: bottom + 8, scale: 2, Self.ink)
    canvas.text("residual and updates", atX: left, y: bottom + 26, scale: 2, Self.ink)
  }

  private static func percent(_ decade: Int) -> String {
    switch decade {
    case 0...: "1" + String(repeating: "0", count: decade + 2) + "%"
    case -1: "10%"
    case -2: "1%"
    default: "0." + String(repeating: "0", count: -decade - 3) + "1%"
    }
  }
}
