import Host

// The layout of DXchange, the format of the Advanced Photon Source (De Carlo et al., J. Synchrotron Rad. 21, 1224,
// 2014):
//
//   /exchange/data (theta, y, x)
//   /exchange/data_white (frames, y, x) or (y, x), else data_white_pre and data_white_post (or …_start and …_end),
//   before and behind the scan, else /process/acquisition/flat_fields/flat_field_value
//   /exchange/data_dark likewise, else /process/acquisition/dark_fields/dark_field_value
//   /exchange/theta (theta), else /process/acquisition/rotation/{rotation_start, rotation_step, num_angles}, else what
//   somebody says, or half a turn

enum DXchange {
  static let group = "/exchange"
  static let data = "\(group)/data"
  static let flats = "\(group)/data_white"
  static let darks = "\(group)/data_dark"
  static let theta = "\(group)/theta"
  static let pixelSize = "/measurement/instrument/detection_system/objective/resolution"
  static let flatFallback = "/process/acquisition/flat_fields/flat_field_value"
  static let darkFallback = "/process/acquisition/dark_fields/dark_field_value"
  static let rotation = "/process/acquisition/rotation"
}

/// Opens what is in a group of a DXchange file, `/exchange` as a rule, but for the datasets that `selection` names;
/// `notice` is what was assumed about the group.
func openDXchange(
  _ file: HDF5File, group: String, thetaUnit: ThetaUnit, spacing: ThetaSpacing,
  _ selection: ScanSelection, _ notice: String?
) throws(FileError) -> any ScanReader {
  let data = try HDF5Dataset(file, required(file, [selection.dataPath ?? "\(group)/data"]))
  try checkIsStack(data, axes: "theta, y, x")
  if let axes = try file.text(ofAttribute: "axes", of: data.name), axes.lowercased().hasPrefix("y:") {
    throw file.bad(
      "\(data.name) has the axes \(axes): these are sinograms; frames (theta:y:x) are read, so write a copy with its "
        + "axes exchanged")
  }
  let (rows, columns) = (data.shape[1], data.shape[2])
  var whole = try CompleteFrames(data, isStrict: selection.isStrict)
  let theta = selection.thetaPath ?? "\(group)/theta"
  let all = try readThetas(file, theta, data, unit: thetaUnit, spacing: spacing, &whole)
  try whole.checkIsStrict()
  let frames = (0..<whole.count).filter { whole.has($0) }
  guard !frames.isEmpty else { throw file.bad("no frame of \(data.name) is there yet") }
  let thetas = all.keeping(frames)
  func fields(_ name: String, else fallback: String) throws(FileError) -> (all: FrameStack, behind: Int?) {
    try openFields(file, "\(group)/\(name)", else: fallback, rows: rows, columns: columns, of: data.name)
  }
  let white = try fields("data_white", else: DXchange.flatFallback)
  var flats = white.all
  let darks = try fields("data_dark", else: DXchange.darkFallback).all
  var notices = [notice].compactMap(\.self) + thetas.notices + [data.notice].compactMap { $0 }
  notices += whole.notices(projections: frames.count, of: all.radians.count)
  if case .constant(let value) = flats.source, value <= 0 {
    notices.append("the flat field is \(value) everywhere and is not used")
    flats = FrameStack(source: .none, rows: rows, columns: columns)
  }
  if flats.count == 0, darks.count > 0 {
    notices.append("there are darks and no flats: the darks are subtracted")
  }
  let projections = FrameStack(source: .frames(data, frames), rows: rows, columns: columns)
  var info = ScanInfo(
    path: file.path, format: .dxchange, projectionCount: frames.count, rows: rows, columns: columns,
    pixel: data.pixel, flatPixel: flats.pixel, darkPixel: darks.pixel,
    thetas: thetas.radians, thetaSource: thetas.source, flatCount: flats.count, darkCount: darks.count, invalidCount: 0,
    pixelSizeMillimetres: try pixelSizeMillimetres(file, of: [DXchange.pixelSize]), notices: notices)
  info.flatsBehind = white.behind
  info.isGrowing = file.isGrowing || whole.hasGrowingSource
  return HDF5ScanReader(info: info, projections: projections, flats: flats, darks: darks)
}

/// Refuses what is not of rank 3 or has nothing in it.
func checkIsStack(_ dataset: HDF5Dataset, axes: String) throws(FileError) {
  guard dataset.shape.count == 3 else {
    throw dataset.file.bad("\(dataset.name) is \(dataset.shapeText), and has to be of rank 3 (\(axes))")
  }
  guard dataset.shape.allSatisfy({ $0 > 0 }) else {
    throw dataset.file.bad("\(dataset.name) is empty (\(dataset.shapeText))")
  }
}

/// Refuses sinograms: where a list with one value a frame has as many as the second axis, and not as the first.
func checkIsInOrder(_ dataset: HDF5Dataset, values: Int, of name: String) throws(FileError) {
  guard values != dataset.shape[0], values == dataset.shape[1], values > 1 else { return }
  // A list may be behind while the file is written.
  guard !dataset.file.isGrowing, !dataset.hasGrowingSource else { return }
  throw dataset.file.bad(
    "\(name) has \(values) values for \(dataset.shape[0]) frames, and \(dataset.name) is \(dataset.shapeText): "
      + "these are sinograms (y, theta, x); frames (theta, y, x) are read, so write a copy with both axes exchanged")
}

/// The angles of the projections that there were to be; `whole` learns where these are not as many as came.
private func readThetas(
  _ file: HDF5File, _ name: String, _ data: HDF5Dataset, unit: ThetaUnit, spacing: ThetaSpacing,
  _ whole: inout CompleteFrames
) throws(FileError) -> Thetas {
  guard try file.hasDataset(name) else {
    guard try file.hasDataset("\(DXchange.rotation)/rotation_start") else {
      try spacing.checkIsKnown(in: file)
      return try Thetas(spacing, count: data.shape[0], path: file.path)
    }
    try spacing.refuse(in: file, which: DXchange.rotation)
    return try computeThetas(file, name, unit: unit, &whole)
  }
  try spacing.refuse(in: file, which: name)
  let values = try file.numbers(name)
  try checkIsInOrder(data, values: values.count, of: name)
  try whole.limit(to: values.count, name)
  let attribute = try file.text(ofAttribute: "units", of: name)
  return try Thetas(values, of: name, attribute: attribute, unitByDefinition: nil, wanted: unit, file: file)
}

/// Far more than any scan has, and few enough for a list of them.
private let anglesMax = 1 << 26

/// theta = start + i × step, in degrees unless `rotation_step` says otherwise.
private func computeThetas(
  _ file: HDF5File, _ theta: String, unit: ThetaUnit, _ whole: inout CompleteFrames
) throws(FileError) -> Thetas {
  func number(_ key: String) throws(FileError) -> Double {
    let name = "\(DXchange.rotation)/\(key)"
    guard try file.hasDataset(name) else { throw file.bad("it has no thetas: neither \(theta) nor \(name)") }
    let values = try file.numbers(name)
    guard values.count == 1 else { throw file.bad("\(name) has \(values.count) values, and has to be one number") }
    return values[0]
  }
  let (start, step, angleCount) = (try number("rotation_start"), try number("rotation_step"), try number("num_angles"))
  guard let count = Int(exactly: angleCount), (0...anglesMax).contains(count) else {
    throw file.bad("\(DXchange.rotation)/num_angles is \(angleCount), which is no number of projections")
  }
  try whole.limit(to: count, "\(DXchange.rotation), by num_angles,")
  let attribute = try file.text(ofAttribute: "units", of: "\(DXchange.rotation)/rotation_step")
  let values = (0..<count).map { start + Double($0) * step }
  return try Thetas(
    values, of: DXchange.rotation, attribute: attribute, unitByDefinition: .degrees, wanted: unit, file: file)
}
