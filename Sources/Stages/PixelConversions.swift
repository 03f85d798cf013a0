public import Rings
public import ScanFiles
public import Tomography

extension ScanPixel {
  /// How the same pixel is named in an event.
  public var elementType: ElementType {
    switch self {
    case .uint8: .u8
    case .uint16: .u16
    case .uint32: .u32
    case .float32: .f32
    }
  }

  /// How the same pixel is named in corrections.
  public var pixelType: PixelType {
    switch self {
    case .uint8: .uint8
    case .uint16: .uint16
    case .uint32: .uint32
    case .float32: .float32
    }
  }
}

extension PixelType {
  /// The pixel of an event, or nil for an event without pixels.
  init?(_ elementType: ElementType) {
    switch elementType {
    case .none: return nil
    case .u8: self = .uint8
    case .u16: self = .uint16
    case .u32: self = .uint32
    case .f32: self = .float32
    }
  }
}
