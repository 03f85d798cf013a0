package import Host

/// How the thetas of a file are to be understood.
package enum ThetaUnit: String, Sendable, Codable {
  /// Degrees, whatever the file says.
  case degrees
  /// Radians, whatever the file says.
  case radians
  /// As the `units` attribute says; without one, in DXchange radians when |theta| never exceeds 2π; in NXtomo degrees,
  /// but radians when they would span half a turn and not exceed a full one.
  case automatic
}

/// The layout of a scan file.
package enum ScanFormat: String, Sendable, Codable, CustomStringConvertible {
  /// `/exchange/data` and its companions, the format of the Advanced Photon Source.
  case dxchange = "DXchange"
  /// The NeXus application definition of tomography.
  case nxtomo = "NXtomo"
  /// Frames in an HDF5 file of no known layout, at paths that somebody named.
  case frames = "HDF5"
  /// TIFF files.
  case tiff = "TIFF"
  /// No file: what a person says of a live source.
  case live

  /// The format's name.
  package var description: String { rawValue }
}

/// What a scan file holds, checked when it was opened.
package struct ScanInfo: Sendable {
  /// The file.
  package internal(set) var path: String
  /// Its layout.
  package internal(set) var format: ScanFormat
  /// Projections, without flats, darks and invalid frames; at least 1.
  package internal(set) var projectionCount: Int
  /// Detector rows; at least 1.
  package internal(set) var rows: Int
  /// Detector columns; at least 1.
  package internal(set) var columns: Int
  /// The type in which projections are delivered.
  package internal(set) var pixel: PixelType
  /// The type in which flats are delivered; it may be another than that of the projections.
  package internal(set) var flatPixel: PixelType
  /// The type in which darks are delivered.
  package internal(set) var darkPixel: PixelType
  /// One theta a projection, in radians; all finite.
  package internal(set) var thetas: [Double]
  /// Where the thetas come from and in which unit they were, for the log.
  package internal(set) var thetaSource: String
  /// Flat fields.
  package internal(set) var flatCount: Int
  /// Dark fields.
  package internal(set) var darkCount: Int
  /// Frames that the file marks as invalid; they are left out.
  package internal(set) var invalidCount: Int
  /// The size of a pixel at the sample, where the file states it with a unit.
  package internal(set) var pixelSizeMillimetres: Double?
  /// Sentences for the user: what was assumed, and what is unusual.
  package internal(set) var notices: [String]
  /// The last flat fields, that were taken behind the projections; nil where the file does not say when.
  package var flatsBehind: Int?
  /// Whether the file calls the scan a half acquisition (`Half`), or not (`Full`); nil where it says nothing.
  package var isHalfAcquisition: Bool?
  /// Whether somebody is still writing the file, or never closed it: it may have more of everything when it is opened
  /// again.
  package internal(set) var isGrowing = false
  /// How the file says that its frames are mirrored; they are delivered as they would be without that. Nil where it
  /// says nothing.
  var flips: DetectorFlips?
  /// Whether somebody said so, of all frames and fields, whatever files say.
  var flipsWereAsked = false
  /// What of `notices` is about that.
  package internal(set) var flipNotice: String?

  /// What is known of a scan that is no file.
  package init(
    path: String, format: ScanFormat, projectionCount: Int, rows: Int, columns: Int, pixel: PixelType,
    flatPixel: PixelType,
    darkPixel: PixelType, thetas: [Double], thetaSource: String, flatCount: Int, darkCount: Int, invalidCount: Int,
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
  package var hasFlats: Bool { flatCount > 0 }
}
