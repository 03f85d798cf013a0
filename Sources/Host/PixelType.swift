/// The type of an image's pixels, in the byte order of this machine: in files, in events and in memory.
///
/// Unsigned integers keep their width; a reader delivers every other number type (signed and 64-bit integers, other
/// floats) as `float32`.
package enum PixelType: String, Sendable, Codable, CaseIterable {
  /// Unsigned 8-bit counts.
  case uint8
  /// Unsigned 16-bit counts.
  case uint16
  /// Unsigned 32-bit counts; corrections round them to the 24 significant bits of a `Float`.
  case uint32
  /// 32-bit IEEE floats, which may hold NaN and infinities.
  case float32

  /// Bytes of one pixel.
  package var byteCount: Int {
    switch self {
    case .uint8: 1
    case .uint16: 2
    case .uint32, .float32: 4
    }
  }

  /// The number that stands for the type in an event's header, where 0 means that an event has no pixels.
  package var code: UInt16 {
    switch self {
    case .uint8: 1
    case .uint16: 2
    case .float32: 3
    case .uint32: 4
    }
  }

  /// The type that `code` stands for; nil for a number without meaning, and for 0.
  package init?(code: UInt16) {
    switch code {
    case 1: self = .uint8
    case 2: self = .uint16
    case 3: self = .float32
    case 4: self = .uint32
    default: return nil
    }
  }
}
