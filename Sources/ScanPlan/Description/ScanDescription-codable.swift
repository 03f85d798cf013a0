// In plan.json a description is its keys and their words; what has no value is left out.
extension ScanDescription: Codable {
  private struct Name: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  /// From keys and words. Throws where one has no meaning: another version wrote it.
  package init(from decoder: any Decoder) throws {
    self = .standard
    let container = try decoder.container(keyedBy: Name.self)
    for name in container.allKeys {
      guard let key = ScanKey.named(name.stringValue), key.read(try container.decode(String.self, forKey: name), &self)
      else {
        throw DecodingError.dataCorruptedError(
          forKey: name, in: container, debugDescription: "this version does not know it")
      }
    }
  }

  /// To keys and words.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Name.self)
    for key in ScanKey.all {
      if let text = key.text(self) { try container.encode(text, forKey: Name(stringValue: key.name)) }
    }
  }
}
