/// The type of the pixels that a reader delivers, in the byte order of this machine.
///
/// Unsigned integers keep their width; every other number type (signed and 64-bit integers, other floats) is delivered as `float32`.
public enum ScanPixel: String, Sendable, Codable, CaseIterable {
  /// Unsigned 8-bit counts.
  case uint8
  /// Unsigned 16-bit counts.
  case uint16
  /// Unsigned 32-bit counts.
  case uint32
  /// 32-bit IEEE floats.
  case float32

  /// Bytes of one pixel.
  public var byteCount: Int {
    switch self {
    case .uint8: 1
    case .uint16: 2
    case .uint32, .float32: 4
    }
  }
}

/// How the thetas of a file are to be understood.
public enum ThetaUnit: String, Sendable, Codable {
  /// Degrees, whatever the file says.
  case degrees
  /// Radians, whatever the file says.
  case radians
  /// As the `units` attribute says; without one, degrees in NXtomo, and in DXchange radians when |theta| never exceeds 2π.
  case automatic
}

/// The layout of a scan file.
public enum ScanFormat: String, Sendable, Codable, CustomStringConvertible {
  /// `/exchange/data` and its companions, the format of the Advanced Photon Source.
  case dxchange = "DXchange"
  /// The NeXus application definition of tomography.
  case nxtomo = "NXtomo"
  /// No file: what a person says of a live source.
  case live

  /// The format's name.
  public var description: String { rawValue }
}

/// What a scan file holds, checked when it was opened.
public struct ScanInfo: Sendable {
  /// The file.
  public let path: String
  /// Its layout.
  public let format: ScanFormat
  /// Projections, without flats, darks and invalid frames; at least 1.
  public let projectionCount: Int
  /// Detector rows; at least 1.
  public let rows: Int
  /// Detector columns; at least 1.
  public let columns: Int
  /// The type in which projections are delivered.
  public let pixel: ScanPixel
  /// The type in which flats are delivered; it may be another than that of the projections.
  public let flatPixel: ScanPixel
  /// The type in which darks are delivered.
  public let darkPixel: ScanPixel
  /// One theta a projection, in radians; all finite.
  public let thetas: [Double]
  /// Where the thetas come from and in which unit they were, for the log.
  public let thetaSource: String
  /// Flat fields.
  public let flatCount: Int
  /// Dark fields.
  public let darkCount: Int
  /// Frames that the file marks as invalid; they are left out.
  public let invalidCount: Int
  /// The size of a pixel at the sample, where the file states it with a unit.
  public let pixelSizeMillimetres: Double?
  /// Sentences for the user: what was assumed, and what is unusual.
  public let notices: [String]

  /// What is known of a scan that is no file.
  package init(
    path: String, format: ScanFormat, projectionCount: Int, rows: Int, columns: Int, pixel: ScanPixel, flatPixel: ScanPixel,
    darkPixel: ScanPixel, thetas: [Double], thetaSource: String, flatCount: Int, darkCount: Int, invalidCount: Int,
    pixelSizeMillimetres: Double?, notices: [String]
  ) {
    self.path = path
    self.format = format
    self.projectionCount = projectionCount
    self.rows = rows
    self.columns = columns
    self.pixel = pixel
    self.flatPixel = flatPixel
    self.darkPixel = darkPixel
    self.thetas = thetas
    self.thetaSource = thetaSource
    self.flatCount = flatCount
    self.darkCount = darkCount
    self.invalidCount = invalidCount
    self.pixelSizeMillimetres = pixelSizeMillimetres
    self.notices = notices
  }

  /// Whether transmission can be computed from the file.
  public var hasFlats: Bool { flatCount > 0 }
}
