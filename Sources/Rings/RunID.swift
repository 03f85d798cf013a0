/// The 128 random bits that tell one run from every other.
package struct RunID: Hashable, Sendable, Codable, CustomStringConvertible {
  /// Bytes 0 to 7, little-endian.
  package let low: UInt64
  /// Bytes 8 to 15, little-endian.
  package let high: UInt64

  package init(low: UInt64, high: UInt64) {
    self.low = low
    self.high = high
  }

  /// A new identity.
  package static func random() -> RunID {
    var generator = SystemRandomNumberGenerator()
    return RunID(low: generator.next(), high: generator.next())
  }

  /// The identity written as 32 hexadecimal digits, byte 0 first; nil if `text` is anything else.
  package init?(_ text: String) {
    let digits = Array(text.utf8)
    guard digits.count == 32 else { return nil }
    var words: [UInt64] = [0, 0]
    for (index, digit) in digits.enumerated() {
      guard let value = Character(Unicode.Scalar(digit)).hexDigitValue else { return nil }
      let byte = index / 2
      words[byte / 8] |= UInt64(value) << UInt64(byte % 8 * 8 + (index % 2 == 0 ? 4 : 0))
    }
    self.init(low: words[0], high: words[1])
  }

  /// 32 hexadecimal digits, byte 0 first.
  package var description: String {
    [low, high].map { word in
      let digits = String(word.byteSwapped, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }

  /// Reads the 32 digits.
  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let id = RunID(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "a run's identity has 32 hexadecimal digits")
    }
    self = id
  }

  /// Writes the 32 digits.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// Whose events a ring carries.
package struct RingIdentity: Hashable, Sendable, Codable, CustomStringConvertible {
  /// The run.
  package var runID: RunID
  /// The topic's number within the run.
  package var topic: UInt32
  /// The partition's number within the topic.
  package var partition: UInt32

  /// An identity as given.
  package init(runID: RunID, topic: UInt32, partition: UInt32) {
    self.runID = runID
    self.topic = topic
    self.partition = partition
  }

  /// For messages.
  package var description: String { "topic \(topic), partition \(partition) of run \(runID)" }
}
