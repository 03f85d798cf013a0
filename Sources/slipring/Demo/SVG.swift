import Foundation

/// A vector picture on a white ground. What is drawn later covers what was drawn before.
///
/// Lengths are in pixels, x to the right and y down. The picture refers to nothing outside itself and runs nothing, so
/// that browsers and the pages of code hosts show it; its texts are in the viewer's sans-serif font.
struct SVG {
  /// A place in the picture.
  struct Point: Equatable {
    var x, y: Double
  }

  /// A rectangle; (x, y) is its upper left corner.
  struct Box {
    var x, y, width, height: Double
    var right: Double { x + width }
    var bottom: Double { y + height }
  }

  /// Blue and orange differ for colour-blind people too.
  enum Colour: String {
    case white = "#ffffff"
    case tint = "#fdf3ea"
    case grid = "#d8dde3"
    case muted = "#59636e"
    case ink = "#1f2328"
    case blue = "#0072b2"
    case orange = "#c8500a"
  }

  /// Which part of a text lies at its place.
  enum Anchor: String {
    case start, middle, end
  }

  private let width: String
  private let height: String
  private let title: String
  private var elements: [String] = []

  /// A picture without anything in it; `title` is what a screen reader says of it.
  init(width: Double, height: Double, title: String) {
    self.width = Self.number(width)
    self.height = Self.number(height)
    self.title = title
    rectangle(Box(x: 0, y: 0, width: width, height: height), .white, cornerRadius: 8)
  }

  /// The whole file.
  var document: String {
    let content = Self.element("title", [:], Self.escaped(title)) + "\n" + elements.joined(separator: "\n")
    return Self.element(
      "svg",
      [
        "xmlns": "http://www.w3.org/2000/svg", "width": width, "height": height, "viewBox": "0 0 \(width) \(height)",
        "role": "img", "font-family": "sans-serif",
      ], "\n" + content + "\n") + "\n"
  }

  /// A filled rectangle.
  mutating func rectangle(_ box: Box, _ colour: Colour, cornerRadius: Double = 0) {
    elements.append(
      Self.element(
        "rect",
        [
          "x": Self.number(box.x), "y": Self.number(box.y), "width": Self.number(box.width),
          "height": Self.number(box.height), "rx": Self.number(cornerRadius), "fill": colour.rawValue,
        ]))
  }

  /// Straight lines from point to point; `dash` is the length of dashes and gaps, 0 for a line without gaps.
  mutating func line(_ points: [Point], _ colour: Colour, width: Double = 1, dash: Double = 0) {
    elements.append(
      Self.element(
        "polyline",
        [
          "points": points.map { "\(Self.number($0.x)),\(Self.number($0.y))" }.joined(separator: " "), "fill": "none",
          "stroke": colour.rawValue, "stroke-width": Self.number(width), "stroke-linejoin": "round",
          "stroke-dasharray": dash > 0 ? Self.number(dash) : nil,
        ]))
  }

  /// A line of text with its base line at `place`; with `isTurned` it reads upwards.
  mutating func text(
    _ text: String, at place: Point, _ colour: Colour = .ink, size: Double = 12, anchor: Anchor = .start,
    isBold: Bool = false, isTurned: Bool = false
  ) {
    let (x, y) = (Self.number(place.x), Self.number(place.y))
    elements.append(
      Self.element(
        "text",
        [
          "x": x, "y": y, "font-size": Self.number(size), "font-weight": isBold ? "bold" : nil,
          "text-anchor": anchor.rawValue, "fill": colour.rawValue,
          "transform": isTurned ? "rotate(-90 \(x) \(y))" : nil,
        ], Self.escaped(text)))
  }

  /// A PNG that fills the box; its pixels keep their edges where they are shown larger than one of the viewer's.
  mutating func image(png: [UInt8], in box: Box) {
    elements.append(
      Self.element(
        "image",
        [
          "x": Self.number(box.x), "y": Self.number(box.y), "width": Self.number(box.width),
          "height": Self.number(box.height), "preserveAspectRatio": "none", "style": "image-rendering: pixelated",
          "href": "data:image/png;base64,\(Data(png).base64EncodedString())",
        ]))
  }

  /// An element; attributes without a value are left out.
  private static func element(
    _ name: String, _ attributes: KeyValuePairs<String, String?>, _ content: String? = nil
  ) -> String {
    let start = name + attributes.map { name, value in value.map { " \(name)=\"\(escaped($0))\"" } ?? "" }.joined()
    return content.map { "<\(start)>\($0)</\(name)>" } ?? "<\(start)/>"
  }

  /// The text as XML has it, as content or in quotes; characters that XML 1.0 has not at all become U+FFFD.
  private static func escaped(_ text: String) -> String {
    text.unicodeScalars.map { scalar in
      switch scalar {
      case "&": "&amp;"
      case "<": "&lt;"
      case ">": "&gt;"
      case "\"": "&quot;"
      case "\u{0}"..."\u{8}", "\u{B}", "\u{C}", "\u{E}"..."\u{1F}", "\u{FFFE}", "\u{FFFF}": "\u{FFFD}"
      default: String(scalar)
      }
    }.joined()
  }

  /// Hundredths of a pixel are enough.
  private static func number(_ value: Double) -> String {
    let text = "\((value * 100).rounded() / 100)"
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }
}
