import CPNG
import Foundation
import FoundationXML
import ScanFiles
import TestSupport
import Testing

@testable import slipring

/// An element of a picture, read back by an XML parser.
private struct Element {
  let name: String
  let text: String
  let attributes: [String: String]

  /// The elements of a picture in the order in which they are drawn.
  static func all(of svg: SVG) throws -> [Element] {
    let root = try #require(try XMLDocument(xmlString: svg.document).rootElement())
    #expect(root.name == "svg" && root.uri == "http://www.w3.org/2000/svg")
    return (root.children ?? []).compactMap { $0 as? XMLElement }.map { element in
      let attributes = (element.attributes ?? []).map { ($0.name ?? "", $0.stringValue ?? "") }
      return Element(
        name: element.name ?? "", text: element.stringValue ?? "", attributes: Dictionary(attributes) { $1 })
    }
  }

  /// The points of a line.
  var points: [SVG.Point] {
    (attributes["points"] ?? "").split(separator: " ").map { point in
      let place = point.split(separator: ",").map { Double($0) ?? .nan }
      return SVG.Point(x: place[0], y: place[1])
    }
  }
}

@Suite struct SVGTests {
  @Test func `Any text comes back from the file, but for characters that XML has not`() throws {
    let text = "a < b && c > \"d\" 'e' ‖é‖ ]]> &amp;"
    var svg = SVG(width: 100, height: 50, title: text)
    svg.text(text + "\u{1}\u{1F}\u{FFFE}", at: .init(x: 1, y: 2))
    let elements = try Element.all(of: svg)
    #expect(elements.map(\.name) == ["title", "rect", "text"])
    #expect(elements[0].text == text)
    #expect(elements[2].text == text + "\u{FFFD}\u{FFFD}\u{FFFD}")
  }

  @Test func `Places are rounded to hundredths of a pixel`() throws {
    var svg = SVG(width: 100, height: 50, title: "")
    svg.line([.init(x: 1, y: 2.5), .init(x: 1 / 3, y: -2 / 3)], .ink)
    #expect(try Element.all(of: svg)[2].attributes["points"] == "1,2.5 0.33,-0.67")
  }
}

@Suite struct ResidualChartTests {
  private let plot = SVG.Box(x: 100, y: 50, width: 400, height: 300)

  private func elements(window: [Double], final: [Double]) throws -> [Element] {
    var svg = SVG(width: 600, height: 400, title: "")
    ResidualChart(window: window, final: final).draw(on: &svg, in: plot)
    return try Element.all(of: svg)
  }

  private func curves(_ elements: [Element]) -> [[SVG.Point]] {
    elements.filter { $0.attributes["stroke-width"] == "1.75" }.map(\.points)
  }

  @Test func `Residuals are where the axes say, and the mark is between the curves`() throws {
    let elements = try elements(window: [1, 0.1, .nan, 0.001], final: [0.1, 0.01, 0])
    // Seven updates over 400 pixels, six decades over 300: zero is shown at one millionth.
    let curves = curves(elements)
    #expect(curves.count == 2)
    #expect(curves[0] == [.init(x: 100, y: 50), .init(x: 166.67, y: 100), .init(x: 300, y: 200)])
    #expect(curves[1] == [.init(x: 366.67, y: 100), .init(x: 433.33, y: 150), .init(x: 500, y: 350)])
    let mark = elements.filter { $0.attributes["stroke-dasharray"] == "4" }.map(\.points)
    #expect(mark == [[.init(x: 333.33, y: 50), .init(x: 333.33, y: 350)]])
    #expect(
      elements.contains { $0.text == "4 updates" } && elements.contains { $0.text == "3 final sweeps" })
  }

  @Test func `Ticks have a label each, at their place`() throws {
    let elements = try elements(window: Array(repeating: 0.5, count: 203), final: Array(repeating: 0.002, count: 20))
    func label(_ text: String) -> (x: String?, y: String?) {
      let found = elements.first { $0.text == text }?.attributes
      return (found?["x"], found?["y"])
    }
    for (text, y) in [("100 %", "54"), ("10 %", "154"), ("1 %", "254"), ("0.1 %", "354")] {
      #expect(label(text) == ("92", y), "\(text)")
    }
    for (text, x) in [("0", "100"), ("50", "190.09"), ("100", "280.18"), ("150", "370.27"), ("200", "460.36")] {
      #expect(label(text) == (x, "368"), "\(text)")
    }
    #expect([1, 4, 5, 6, 12, 25, 99, 222, 1000].map(ResidualChart.step(last:)) == [1, 1, 1, 2, 5, 5, 20, 50, 200])
  }

  @Test func `A run with few updates, or of one kind, or without any is drawn too`() throws {
    #expect(try curves(elements(window: [], final: [])) == [[], []])
    #expect(try curves(elements(window: [], final: [1])) == [[], [.init(x: 100, y: 50)]])
    #expect(
      try curves(elements(window: [0.1, 0.01], final: [])) == [[.init(x: 100, y: 50), .init(x: 500, y: 350)], []])
    #expect(try curves(elements(window: [.infinity], final: [.nan])) == [[], []])
    let marks = try elements(window: [0.1, 0.01], final: []).filter { $0.attributes["stroke-dasharray"] == "4" }
    #expect(marks.isEmpty)
  }
}

@Suite struct DemoFigureTests {
  /// A volume of 4 slices of 8 × 8, whose values say where they are.
  private func cuts() throws -> OrthogonalCuts {
    let folder = try TestFolder()
    let writer = try VolumeHDF5Writer(path: folder.file("volume.h5"), slices: 4, columns: 8)
    for z in 0..<4 {
      let slice = (0..<64).map { Float(100 * z + $0) }
      try slice.withUnsafeBufferPointer { try writer.write(slice: $0, at: z) }
    }
    try writer.finish()
    return try OrthogonalCuts(VolumeReader(path: folder.file("volume.h5")))
  }

  /// Decodes a PNG in a data URI.
  private func pixels(_ image: Element) throws -> (columns: Int, grey: [UInt8]) {
    let link = try #require(image.attributes["href"])
    let prefix = "data:image/png;base64,"
    #expect(link.hasPrefix(prefix))
    let bytes = try [UInt8](#require(Data(base64Encoded: String(link.dropFirst(prefix.count)))))
    var png = png_image()
    png.version = png_uint_32(PNG_IMAGE_VERSION)
    #expect(png_image_begin_read_from_memory(&png, bytes, bytes.count) != 0)
    #expect(png.format == cpng_format_grey())
    var grey = [UInt8](repeating: 0, count: Int(png.width * png.height))
    #expect(png_image_finish_read(&png, nil, &grey, 0, nil) != 0 && png.warning_or_error == 0)
    return (Int(png.width), grey)
  }

  @Test func `The cuts go through the middle and have the same grey levels`() throws {
    let cuts = try cuts()
    // Of 64 pixels half a percent is none: black is the lowest value of the slice z = 2, white the highest.
    #expect(cuts.range == 200...263 && cuts.slices == 4 && cuts.columns == 8)
    func grey(_ z: Int, _ y: Int, _ x: Int) -> UInt8 {
      UInt8((Float(min(max(100 * z + 8 * y + x - 200, 0), 63)) * (255 / 63)).rounded())
    }
    #expect(cuts.axial == (0..<64).map { grey(2, $0 / 8, $0 % 8) })
    #expect(cuts.coronal == (0..<32).map { grey($0 / 8, 4, $0 % 8) })
    #expect(cuts.sagittal == (0..<32).map { grey($0 % 4, $0 / 4, 4) })
  }

  @Test func `The figure holds the pixels of the cuts and all facts, and needs nothing else`() throws {
    let cuts = try cuts()
    let facts = [(name: "PSNR", value: "24.5 dB"), (name: "noise & more", value: "< 1 %")]
    let figure = DemoFigure(cuts: cuts, residuals: ResidualChart(window: [1, 0.1], final: [0.01]), facts: facts)
    let svg = try figure.draw()
    let elements = try Element.all(of: svg)
    #expect(Set(elements.map(\.name)) == ["title", "rect", "polyline", "text", "image"])
    let images = elements.filter { $0.name == "image" }
    let found = try images.map(pixels)
    #expect(found.map(\.columns) == [8, 4, 8, 256])
    #expect(found.map(\.grey) == [cuts.axial, cuts.sagittal, cuts.coronal, Array(0...255)])
    // Squares of 48 pixels a voxel, in every cut.
    #expect(images.prefix(3).map { $0.attributes["width"] } == ["384", "192", "384"])
    #expect(images.prefix(3).map { $0.attributes["height"] } == ["384", "384", "192"])
    let texts = elements.map(\.text)
    for fact in facts { #expect(texts.contains(fact.name) && texts.contains(fact.value)) }
    for label in ["z = 2 (x →, y ↓)", "2 pixels", "200.000", "263.000"] { #expect(texts.contains(label), "\(label)") }
  }
}
