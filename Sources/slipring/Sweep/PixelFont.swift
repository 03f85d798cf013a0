/// Letters of 5 × 7 pixels for the labels of a picture: digits, capitals and what stands in numbers and options.
enum PixelFont {
  /// Pixels from one letter to the next, and of their height.
  static let (advance, height) = (6, 7)
  private static let width = 5

  /// The rows of a letter from the top, five bits each, the leftmost the highest.
  private static let glyphs: [Character: UInt64] = [
    "0": 0x3a33ae62e, "1": 0x11842108e, "2": 0x3a211111f, "3": 0x7c441062e, "4": 0x08ca97c42, "5": 0x7e1e0862e,
    "6": 0x1910f462e, "7": 0x7c2221108, "8": 0x3a317462e, "9": 0x3a317844c, "A": 0x3a31fc631, "B": 0x7a31f463e,
    "C": 0x3a308422e, "D": 0x72518c65c, "E": 0x7e10f421f, "F": 0x7e10f4210, "G": 0x3a30bc62f, "H": 0x4631fc631,
    "I": 0x38842108e, "J": 0x1c4210a4c, "K": 0x4654c5251, "L": 0x42108421f, "M": 0x4775ac631, "N": 0x47359c631,
    "O": 0x3a318c62e, "P": 0x7a31f4210, "Q": 0x3a318d64d, "R": 0x7a31f5251, "S": 0x3e107043e, "T": 0x7c8421084,
    "U": 0x46318c62e, "V": 0x46318a944, "W": 0x4631ad771, "X": 0x462a22a31, "Y": 0x462a21084, "Z": 0x7c222221f,
    ".": 0x00000018c, ",": 0x000003088, "-": 0x0000f8000, "+": 0x0084f9080, "=": 0x001f07c00, ":": 0x018c03180,
    ";": 0x018c03088, "/": 0x002222200, "_": 0x00000001f, "%": 0x632222263, "(": 0x088842082, ")": 0x208210888,
    "?": 0x3a2111004,
  ]

  /// The pixels of a line, from its left upper corner. Small letters are drawn as capitals; a question mark stands for
  /// what there is no letter for.
  static func pixels(_ text: String) -> [(x: Int, y: Int)] {
    text.uppercased().enumerated().flatMap { place, character -> [(x: Int, y: Int)] in
      guard character != " ", let glyph = glyphs[character] ?? glyphs["?"] else { return [] }
      return (0..<width * height).compactMap { index in
        guard glyph >> UInt64(width * height - 1 - index) & 1 == 1 else { return nil }
        return (place * advance + index % width, index / width)
      }
    }
  }
}
