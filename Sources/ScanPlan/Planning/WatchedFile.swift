import Glibc
import Host
import ScanFiles

// What an HDF5 file that is watched says of its scan, where it is there when the run is planned.
extension ScanDescription {
  /// What of the file is the scan, for whoever follows it.
  var watchedSelection: ScanSelection {
    var selection = selection
    selection.hasOtherFlats = fields != nil
    return selection
  }

  /// The same with what a person left out and a watched file says, and what to tell of that; of every other input as
  /// it is.
  /// - Throws: `.usage` where nobody says what is needed, `.data` where the file says otherwise than the person.
  func knowingWatchedFile() throws(ScanFailure) -> (scan: ScanDescription, notices: [String]) {
    guard watchesFile, case .folder(let path) = try ScanSource(input) else { return (self, []) }
    let frames: GrowingFrames?
    do throws(FileError) {
      frames =
        access(path, F_OK) == 0
        ? try GrowingFrames(path: path, selection: watchedSelection, thetaUnit: thetaUnit.fileUnit) : nil
    } catch {
      // Its writer may be about to change that; whoever says everything need not wait for it.
      guard let missing = missingOfScan else { return (self, []) }
      throw ScanFailure(error).with("\(error); give \(missing) to follow it all the same")
    }
    guard let frames else {
      guard let missing = missingOfScan else { return (self, []) }
      throw ScanFailure(
        .usage,
        "\(input) has no frames yet: give \(missing), as memory and disk for the scan are made before its first image "
          + "comes")
    }
    try checkFits(frames)
    do throws(FileError) { return try knowing(frames, planned: frames.planned()) } catch {
      throw ScanFailure(error)
    }
  }

  /// Options that have to be given where the file does not say it.
  private var missingOfScan: String? {
    let missing = [
      detectorShape == nil ? "--shape ROWS,COLUMNS" : nil, projections == nil ? "--projections N" : nil,
    ].compactMap(\.self)
    return missing.isEmpty ? nil : missing.joined(separator: " and ")
  }

  private func checkFits(_ frames: GrowingFrames) throws(ScanFailure) {
    let shape = "\(frames.shape.rows),\(frames.shape.columns)"
    if let detectorShape, detectorShape.text != shape {
      throw ScanFailure(
        .data, "--shape \(detectorShape.text): the frames of \(input) have \(shape); leave --shape out")
    }
    if let pixel, pixel != frames.pixel {
      throw ScanFailure(
        .data,
        "--pixel \(pixel.rawValue): the frames of \(input) are \(frames.pixel.rawValue); leave --pixel out")
    }
  }

  private func knowing(
    _ frames: GrowingFrames, planned: GrowingFrames.Planned
  ) throws(FileError) -> (scan: ScanDescription, notices: [String]) {
    var scan = self
    guard let shape = DetectorShape("\(frames.shape.rows),\(frames.shape.columns)") else {
      throw .badData(path: input, reason: "its frames have \(frames.shape.rows) × \(frames.shape.columns) pixels")
    }
    (scan.detectorShape, scan.pixel) = (shape, frames.pixel)
    // Fields from elsewhere replace those of the file.
    let takesFields = fields == nil && i0 == nil
    if takesFields, flatFieldSource == nil, planned.flats > 0 { scan.flatFieldSource = .count(planned.flats) }
    if fields == nil, darkFieldSource == nil, planned.darks > 0 { scan.darkFieldSource = .count(planned.darks) }
    guard let count = projections ?? planned.projections, (1...ScanKey.countMax).contains(count) else {
      throw .badData(
        path: input,
        reason: "it does not say yet how many frames it will have, or which are projections; give "
          + "--projections N")
    }
    scan.projections = count
    let words =
      "\(input) says \(shape.text) pixels of \(frames.pixel.rawValue), \(count) projections, \(scan.flats ?? 0) flats "
      + "and \(scan.darks ?? 0) darks; --projections, --flats and --darks say otherwise"
    let isFound = detectorShape == nil || projections == nil || scan.flats != flats || scan.darks != darks
    return (scan, (isFound ? [words] : []) + frames.notices)
  }
}
