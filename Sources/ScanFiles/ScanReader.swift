package import Host

/// An open scan, from which frames are read one at a time. Not to be used by several threads at once.
package protocol ScanReader: AnyObject {
  /// What the scan holds.
  var info: ScanInfo { get }

  /// Reads rows of one projection into `buffer`, which is exactly rows.count × `info.columns` × `info.pixel.byteCount`
  /// bytes, row by row.
  ///
  /// `index` counts projections only: in NXtomo, frames of image key 0 in the order of the file.
  /// - Throws: `.badData` when the file turns out to be damaged.
  func readProjection(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError)

  /// Reads rows of one flat field, as `readProjection` does, in pixels of `info.flatPixel`.
  /// - Throws: `.badData` when the file turns out to be damaged.
  func readFlat(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError)

  /// Reads rows of one dark field, as `readProjection` does, in pixels of `info.darkPixel`.
  /// - Throws: `.badData` when the file turns out to be damaged.
  func readDark(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError)
}

/// Opens a DXchange or NXtomo file and checks everything about it but its pixels.
/// - Throws: `.cannotOpen` when the file is missing or unreadable, `.badData` when it is not a scan that can be
///   reconstructed.
package func openScan(
  path: String, thetaUnit: ThetaUnit = .automatic, spacing: ThetaSpacing = ThetaSpacing()
) throws(FileError) -> any ScanReader {
  let file = try HDF5File(path: path)
  if try file.hasDataset("/exchange/data") { return try openDXchange(file, thetaUnit: thetaUnit, spacing: spacing) }
  if let entry = try findNXtomoEntry(file) {
    try spacing.refuse(in: file, which: "\(entry)/sample/rotation_angle")
    return try openNXtomo(file, entry: entry, thetaUnit: thetaUnit)
  }
  throw .badData(path: path, reason: "it has neither /exchange/data (DXchange) nor an entry whose definition is NXtomo")
}
