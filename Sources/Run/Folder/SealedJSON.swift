import Foundation
import Host

/// JSON that tells whether it is still what was written: one object, whose last value is the SHA-256 of every byte
/// before it. Who reads JSON reads it as any other.
///
/// ```
/// {
///   "a" : 1,            ┐
///   …                   │ the text that the checksum is of, up to the last value of what was written
///   "z" : true          ┘
/// ,
///   "sha256" : "…64 digits…"
/// }
/// ```
enum SealedJSON {
  /// What the last value says.
  enum SealCheck {
    /// The text is what was written.
    case whole
    /// There is no checksum where it belongs: somebody else wrote the text, or it is damaged.
    case unsealed
    /// The text is not what was written.
    case damaged
  }

  private static let opening = Array(",\n  \"sha256\" : \"".utf8)
  private static let closing = Array("\"\n}\n".utf8)
  private static let digitCount = 64

  /// The text of a value that is encoded as an object with at least one key.
  static func encode(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let text = Array(try encoder.encode(value)), end = Array("\n}".utf8)
    precondition(text.first == UInt8(ascii: "{") && text.suffix(end.count) == end[...], "a value that is no object")
    let sealed = Array(text.dropLast(end.count))
    // Who decodes the value would get the seal for it.
    precondition(!String(decoding: sealed, as: UTF8.self).contains(#"\#n  "sha256" : "#), "a value with a key sha256")
    return sealed + opening + Array(digest(sealed[...]).utf8) + closing
  }

  /// Looks whether a text is what `encode` wrote.
  static func check(_ text: [UInt8]) -> SealCheck {
    let sealCount = opening.count + digitCount + closing.count
    guard text.count > sealCount, text.suffix(closing.count) == closing[...] else { return .unsealed }
    let seal = text.suffix(sealCount)
    guard seal.prefix(opening.count) == opening[...] else { return .unsealed }
    let digits = seal.dropFirst(opening.count).prefix(digitCount)
    return digits == Array(digest(text.dropLast(sealCount)).utf8)[...] ? .whole : .damaged
  }

  private static func digest(_ bytes: ArraySlice<UInt8>) -> String {
    var sum = SHA256()
    bytes.withUnsafeBytes { sum.update($0) }
    return sum.hexDigest()
  }
}
