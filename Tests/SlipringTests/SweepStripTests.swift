import Testing

@testable import slipring

struct SweepStripTests {
  /// Rows of a line of text, a `#` for each pixel.
  private func drawn(_ text: String, columns: Int) -> [String] {
    let pixels = PixelFont.pixels(text)
    return (0..<PixelFont.height).map { y in
      String((0..<columns).map { x in pixels.contains { $0 == (x, y) } ? "#" : "." })
    }
  }

  @Test func `A value stands in the picture as digits`() {
    #expect(
      drawn("4.5", columns: 17) == [
        "...#........#####", "..##........#....", ".#.#........####.", "#..#............#", "#####...........#",
        "...#...##...#...#", "...#...##....###.",
      ])
    #expect(drawn("Ab", columns: 11) == drawn("AB", columns: 11))
    #expect(drawn("µ", columns: 5) == drawn("?", columns: 5))
  }

  @Test func `A label ends where its slice does`() throws {
    let slice = (label: String(repeating: "energy=20,", count: 9), columns: 2, grey: [UInt8](repeating: 128, count: 4))
    #expect(try SweepStrip(slices: [slice], best: 0).draw(name: "strip").starts(with: [0x89, 0x50, 0x4E, 0x47]))
  }
}
