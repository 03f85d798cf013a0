extension ScanKey {
  /// What a value may be, as JSON Schema has it.
  static func schema<Value: ScanValue>(_ type: Value.Type, _ limit: ScanLimit<Value>) -> SchemaValue {
    if let choices = Value.choices { return .words(choices) }
    var schema: SchemaValue
    switch type {
    case is Int.Type: schema = ["type": "integer"]
    case is Double.Type: schema = ["type": "number"]
    case is Bool.Type: return ["type": "boolean"]
    case is String.Type: return ["type": "string"]
    // A word of its own form, which YAML may read as a number.
    default: return ["type": ["string", "number", "boolean"]]
    }
    guard let bounds = limit.bounds else { return schema }
    schema = schema.with(bounds.isOpen ? "exclusiveMinimum" : "minimum", .number(bounds.low))
    return schema.with(bounds.isOpen ? "exclusiveMaximum" : "maximum", .number(bounds.high))
  }

  /// All of `scan.yaml` as JSON Schema.
  package static var schema: SchemaValue {
    let properties = all.map { key -> (String, SchemaValue) in
      let words = help(key.name) + " Written as \(key.form)."
      let list: [SchemaValue] = key.isRepeatable ? [["type": "array", "items": ["type": "string"]]] : []
      // A key that may be left out may be without a value, too.
      let value = key.unset == nil ? key.value : ["anyOf": .array([key.value] + list + [["type": "null"]])]
      return (key.name, value.with("description", .string(words)))
    }
    return .document("A scan of Slipring: scan.yaml", Dictionary(uniqueKeysWithValues: properties))
  }
}
