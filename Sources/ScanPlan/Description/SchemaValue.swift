/// A value of JSON, of which descriptions in JSON Schema (2020-12) are made.
package enum SchemaValue: Encodable, Equatable, Sendable {
  /// Keys and values.
  case object([String: SchemaValue])
  /// Values in their order.
  case array([SchemaValue])
  /// Text.
  case string(String)
  /// A number.
  case number(Double)
  /// True or false.
  case bool(Bool)

  /// As JSON has it; whole numbers without a point.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .object(let values): try container.encode(values)
    case .array(let values): try container.encode(values)
    case .string(let text): try container.encode(text)
    case .number(let number):
      if let whole = Int(exactly: number) { try container.encode(whole) } else { try container.encode(number) }
    case .bool(let value): try container.encode(value)
    }
  }

  /// The same with another key; of what is no object, itself.
  package func with(_ key: String, _ value: SchemaValue) -> SchemaValue {
    guard case .object(var values) = self else { return self }
    values[key] = value
    return .object(values)
  }

  /// The same with another value of a key of the object under `outer`; where there is none, itself.
  package func with(_ outer: String, _ key: String, _ value: SchemaValue) -> SchemaValue {
    guard case .object(let values) = self, let inner = values[outer] else { return self }
    return with(outer, inner.with(key, value))
  }

  /// A whole document: an object with these properties, and no others.
  package static func document(
    _ title: String, _ properties: [String: SchemaValue], required: [String] = []
  ) -> SchemaValue {
    closed(properties, required: required).with("title", .string(title)).with("$schema", .string(dialect))
  }

  /// An object with these properties, and no others.
  package static func closed(_ properties: [String: SchemaValue], required: [String]) -> SchemaValue {
    [
      "type": "object", "properties": .object(properties), "required": .array(required.sorted().map { .string($0) }),
      "additionalProperties": false,
    ]
  }

  /// One of these words; in YAML some of them are read as true or false.
  package static func words(_ words: [String]) -> SchemaValue {
    let values = words.map { word in Double(word).map { SchemaValue.number($0) } ?? .string(word) }
    let choice: SchemaValue = ["enum": .array(values)]
    guard !Set(words).isDisjoint(with: ["yes", "no", "on", "off", "true", "false"]) else { return choice }
    return ["anyOf": [choice, ["type": "boolean"]]]
  }

  private static let dialect = "https://json-schema.org/draft/2020-12/schema"
}

extension SchemaValue: ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral, ExpressibleByStringLiteral,
  ExpressibleByBooleanLiteral
{
  /// An object.
  package init(dictionaryLiteral elements: (String, SchemaValue)...) {
    self = .object(Dictionary(uniqueKeysWithValues: elements))
  }
  /// An array.
  package init(arrayLiteral elements: SchemaValue...) { self = .array(elements) }
  /// Text.
  package init(stringLiteral value: String) { self = .string(value) }
  /// True or false.
  package init(booleanLiteral value: Bool) { self = .bool(value) }
}
