/// Moves a page that was made for the root of a server below another path.
enum BasePath {
  private static let quotes: Set = [UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "`")]
  /// Shorter ones are units, as in "/s".
  private static let wordLengthMin = 3

  /// The page as it is served below `prefix`, which begins with a slash and does not end with one: each address right
  /// behind a quote that begins with a slash and a word is moved.
  static func moved(_ page: [UInt8], below prefix: String) -> [UInt8] {
    let prefix = Array(prefix.utf8)
    var moved: [UInt8] = []
    moved.reserveCapacity(page.count + 32 * prefix.count)
    for (index, byte) in page.enumerated() {
      if byte == UInt8(ascii: "/"), index > 0, quotes.contains(page[index - 1]),
        page[(index + 1)...].prefix(wordLengthMin).count(where: { (97...122).contains($0) }) == wordLengthMin
      {
        moved += prefix
      }
      moved.append(byte)
    }
    return moved
  }
}
