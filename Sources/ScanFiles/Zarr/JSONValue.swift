import Foundation

/// What JSON can say, to be written with literals.
enum JSONValue: Encodable {
  case text(String)
  case number(Double)
  case whole(Int)
  case flag(Bool)
  case null
  case list([JSONValue])
  case object([String: JSONValue])

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .text(let value): try container.encode(value)
    case .number(let value): try container.encode(value)
    case .whole(let value): try container.encode(value)
    case .flag(let value): try container.encode(value)
    case .null: try container.encodeNil()
    case .list(let value): try container.encode(value)
    case .object(let value): try container.encode(value)
    }
  }

  /// The value as a file; equal values are equal files. Numbers have to be finite.
  var file: [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do { return try Array(encoder.encode(self)) + [UInt8(ascii: "\n")] } catch {
      preconditionFailure("this is no JSON: \(error)")
    }
  }

  /// Numbers of a list.
  static func numbers(_ values: [Double]) -> JSONValue { .list(values.map(JSONValue.number)) }
  /// Whole numbers of a list.
  static func wholes(_ values: [Int]) -> JSONValue { .list(values.map(JSONValue.whole)) }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
  init(stringLiteral value: String) { self = .text(value) }
  init(integerLiteral value: Int) { self = .whole(value) }
}

extension JSONValue: ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral {
  init(arrayLiteral elements: JSONValue...) { self = .list(elements) }
  init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(Dictionary(uniqueKeysWithValues: elements))
  }
}
