import ScanPlan

/// What JSON a type is written as, as JSON Schema has it: its own decoding is watched, so that the two cannot differ.
///
/// Of a type that decodes keys, each one that it asks for is a property, and one that it needs is required. Numbers,
/// words and true or false are what they are; an enumeration is all of its cases.
enum TypeSchema {
  /// A type whose JSON cannot be found out.
  struct Unknown: Error, CustomStringConvertible {
    let description: String
  }

  /// That of a type.
  static func schema(of type: any Decodable.Type) throws -> SchemaValue {
    func opened<Value: Decodable>(_ type: Value.Type) throws -> SchemaValue { try watched(type).schema }
    // Of an enumeration that does not name its cases there is no value to go on with.
    if !(type is any CaseIterable.Type), let raw = rawType(type) { return try schema(of: raw) }
    return try opened(type)
  }

  /// What was asked for, and something of the type that whoever asked can go on with.
  fileprivate static func watched<Value: Decodable>(_ type: Value.Type) throws -> (schema: SchemaValue, value: Value) {
    if let words = words(type), let first = first(type) as? Value { return (.words(words), first) }
    if let (schema, value) = simple(type), let value = value as? Value { return (schema, value) }
    if let dictionary = type as? any WordDictionary.Type, let empty = dictionary.empty as? Value {
      return (["type": "object", "additionalProperties": try schema(of: dictionary.valueType)], empty)
    }
    let watch = Watch()
    let value = try Value(from: watch)
    return (watch.schema, value)
  }

  private static func rawType(_ type: Any.Type) -> (any Decodable.Type)? {
    func opened<Raw: RawRepresentable>(_: Raw.Type) -> (any Decodable.Type)? {
      Raw.RawValue.self as? any Decodable.Type
    }
    return (type as? any RawRepresentable.Type).flatMap { opened($0) }
  }

  private static func first(_ type: Any.Type) -> Any? {
    func opened<Cases: CaseIterable>(_: Cases.Type) -> Any? { Cases.allCases.first }
    return (type as? any CaseIterable.Type).flatMap { opened($0) }
  }

  private static func words(_ type: Any.Type) -> [String]? {
    func opened<Cases: CaseIterable>(_: Cases.Type) -> [String]? {
      let words = Cases.allCases.compactMap { ($0 as? any RawRepresentable).map { "\($0.rawValue)" } }
      return words.isEmpty ? nil : words
    }
    return (type as? any CaseIterable.Type).flatMap { opened($0) }
  }

  private static func simple(_ type: Any.Type) -> (schema: SchemaValue, value: Any)? {
    func zero<Integer: FixedWidthInteger>(_: Integer.Type) -> Any { Integer.zero }
    if let integer = type as? any FixedWidthInteger.Type { return (["type": "integer"], zero(integer)) }
    switch type {
    case is Double.Type: return (["type": "number"], 0.0)
    case is Float.Type: return (["type": "number"], Float(0))
    case is Bool.Type: return (["type": "boolean"], false)
    case is String.Type: return (["type": "string"], "")
    default: return nil
    }
  }

  /// A decoder that has whatever is asked of it, and remembers that.
  fileprivate final class Watch: Decoder {
    var properties: [String: SchemaValue] = [:]
    /// Keys that were asked for, and of them those that need not be there.
    var (required, optional): (Set<String>, Set<String>) = ([], [])
    /// Of a list, its elements; of a single value, itself.
    var (element, single): (SchemaValue?, SchemaValue?)
    let codingPath: [any CodingKey] = []
    let userInfo: [CodingUserInfoKey: Any] = [:]

    var schema: SchemaValue {
      if let single { return single }
      if let element { return ["type": "array", "items": element] }
      return .closed(properties, required: Array(required.subtracting(optional)))
    }

    func container<Key: CodingKey>(keyedBy _: Key.Type) -> KeyedDecodingContainer<Key> {
      KeyedDecodingContainer(Keys(watch: self))
    }

    func unkeyedContainer() -> any UnkeyedDecodingContainer { List(watch: self) }
    func singleValueContainer() -> any SingleValueDecodingContainer { Single(watch: self) }
  }

  private struct Keys<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let watch: Watch
    let codingPath: [any CodingKey] = []
    let allKeys: [Key] = []

    func contains(_: Key) -> Bool { true }

    func decodeNil(forKey key: Key) -> Bool {
      watch.optional.insert(key.stringValue)
      return false
    }

    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
      let (schema, value) = try TypeSchema.watched(type)
      watch.properties[key.stringValue] = schema
      watch.required.insert(key.stringValue)
      return value
    }

    func decodeIfPresent<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value? {
      watch.properties[key.stringValue] = try TypeSchema.schema(of: type)
      return nil
    }

    func nestedContainer<Other: CodingKey>(
      keyedBy _: Other.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Other> { throw Unknown(description: "\(key.stringValue) is nested") }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
      throw Unknown(description: "\(key.stringValue) is nested")
    }

    func superDecoder() throws -> any Decoder { throw Unknown(description: "a class is written") }
    func superDecoder(forKey _: Key) throws -> any Decoder { throw Unknown(description: "a class is written") }
  }

  private struct List: UnkeyedDecodingContainer {
    let watch: Watch
    let codingPath: [any CodingKey] = []
    let count: Int? = 1
    var currentIndex = 0
    var isAtEnd: Bool { currentIndex > 0 }

    mutating func decodeNil() -> Bool { false }

    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
      let (schema, value) = try TypeSchema.watched(type)
      watch.element = schema
      currentIndex += 1
      return value
    }

    mutating func nestedContainer<Other: CodingKey>(keyedBy _: Other.Type) throws -> KeyedDecodingContainer<Other> {
      throw Unknown(description: "a list is nested")
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
      throw Unknown(description: "a list is nested")
    }

    mutating func superDecoder() throws -> any Decoder { throw Unknown(description: "a class is written") }
  }

  private struct Single: SingleValueDecodingContainer {
    let watch: Watch
    let codingPath: [any CodingKey] = []

    func decodeNil() -> Bool { false }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
      let (schema, value) = try TypeSchema.watched(type)
      watch.single = schema
      return value
    }
  }
}

/// A dictionary with words as keys.
private protocol WordDictionary {
  static var valueType: any Decodable.Type { get }
  static var empty: Self { get }
}

extension Dictionary: WordDictionary where Key == String, Value: Decodable {
  fileprivate static var valueType: any Decodable.Type { Value.self }
  fileprivate static var empty: Self { [:] }
}
