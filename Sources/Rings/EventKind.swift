/// What an event says.
public enum EventKind: UInt16, Sendable, Codable, CaseIterable {
  /// A projection's pixels.
  case projection = 1
  /// A flat field's pixels.
  case flat
  /// A dark field's pixels.
  case dark
  /// Which rows of which projections a worker has to take.
  case chunk
  /// A worker's volume has a new generation.
  case update
  /// A checkpoint is durable.
  case checkpoint
  /// A request to a stage.
  case command
  /// A writer took over after its predecessor's death.
  case recovered
  /// The last event of a topic.
  case end
  /// How much a volume changed.
  case score
}

/// The type of a payload's elements.
public enum ElementType: UInt16, Sendable, Codable, CaseIterable {
  /// The payload, if any, is not an array of numbers.
  case none = 0
  /// Unsigned bytes.
  case u8
  /// Unsigned 16-bit integers, little-endian.
  case u16
  /// Single-precision numbers (IEEE 754), little-endian.
  case f32
  /// Unsigned 32-bit integers, little-endian.
  case u32

  /// The size of an element in bytes; 0 for `none`.
  public var byteCount: Int {
    switch self {
    case .none: 0
    case .u8: 1
    case .u16: 2
    case .f32, .u32: 4
    }
  }
}
