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

/// Opens a DXchange or NXtomo file, one whose datasets `selection` names, or TIFF files (a folder of them, a pattern,
/// or a stack in one file), and checks everything about it but its pixels. Frames that the file says are mirrored are
/// delivered as they would be without that, unless `selection` says otherwise.
/// - Throws: `.cannotOpen` when the file is missing or unreadable, `.badData` when it is not a scan that can be
///   reconstructed.
package func openScan(
  path: String, thetaUnit: ThetaUnit = .automatic, spacing: ThetaSpacing = ThetaSpacing(),
  selection: ScanSelection = ScanSelection()
) throws(FileError) -> any ScanReader {
  let (scan, said) =
    ImageFiles.isMeant(by: path)
    ? (try openImages(path, spacing, selection), nil)
    : try openHDF5(path, thetaUnit: thetaUnit, spacing: spacing, selection.absolute)
  guard selection.flips == .file else {
    return FlippedReader(scan, DetectorFlips(asked: selection.flips), asked: true, file: said)
  }
  return said.map { FlippedReader(scan, $0) } ?? scan
}

/// Opens an HDF5 file as `openScan` does; the frames as they are in it, and what it says of flips.
private func openHDF5(
  _ path: String, thetaUnit: ThetaUnit, spacing: ThetaSpacing, _ selection: ScanSelection
) throws(FileError) -> (scan: any ScanReader, flips: DetectorFlips?) {
  let file = try HDF5File(path: path)
  let (entry, notice) = try file.entry(selection.entry)
  switch entry {
  case .dxchange(let group) where selection.imageKeyPath == nil:
    return (try openDXchange(file, group: group, thetaUnit: thetaUnit, spacing: spacing, selection, notice), nil)
  case .nxtomo(let entry):
    let paths = try FramePaths(file, entry: entry, selection, notice)
    let scan = try openFrames(file, paths, thetaUnit: thetaUnit, spacing: spacing, selection)
    guard let detector = paths.detector else { return (scan, nil) }
    return (scan, try DetectorFlips(file, entry: entry, detector: detector))
  default:
    guard selection.namesDatasets else {
      throw file.bad(
        "it has neither /exchange/data (DXchange) nor an entry whose definition is NXtomo\(try file.suggestion())")
    }
    let paths = try FramePaths(file, entry: nil, selection, nil)
    return (try openFrames(file, paths, thetaUnit: thetaUnit, spacing: spacing, selection), nil)
  }
}
