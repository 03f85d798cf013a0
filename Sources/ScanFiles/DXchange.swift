import Host

// The layout of DXchange, the format of the Advanced Photon Source (De Carlo et al., J. Synchrotron Rad. 21, 1224,
// 2014):
//
//   /exchange/data (theta, y, x) /exchange/data_white (frames, y, x) or (y, x) else
//   /process/acquisition/flat_fields/flat_field_value /exchange/data_dark (frames, y, x) or (y, x) else
//   /process/acquisition/dark_fields/dark_field_value /exchange/theta (theta) else
//   /process/acquisition/rotation/{rotation_start, rotation_step, num_angles} else what somebody says, or half a turn

enum DXchange {
  static let data = "/exchange/data"
  static let flats = "/exchange/data_white"
  static let darks = "/exchange/data_dark"
  static let theta = "/exchange/theta"
  static let pixelSize = "/measurement/instrument/detection_system/objective/resolution"
  static let flatFallback = "/process/acquisition/flat_fields/flat_field_value"
  static let darkFallback = "/process/acquisition/dark_fields/dark_field_value"
  static let rotation = "/process/acquisition/rotation"
}

/// Opens a DXchange file.
func openDXchange(
  _ file: HDF5File, thetaUnit: ThetaUnit, spacing: ThetaSpacing
) throws(FileError) -> any ScanReader {
  let data = try HDF5Dataset(file, DXchange.data)
  try checkIsStack(data, axes: "theta, y, x")
  let (count, rows, columns) = (data.shape[0], data.shape[1], data.shape[2])
  let thetas = try readThetas(file, count: count, unit: thetaUnit, spacing: spacing)
  var flats = try openField(file, [DXchange.flats, DXchange.flatFallback], rows: rows, columns: columns)
  let darks = try openField(file, [DXchange.darks, DXchange.darkFallback], rows: rows, columns: columns)
  var notices = thetas.notices + [data.notice].compactMap { $0 }
  if case .constant(let value) = flats.source, value <= 0 {
    notices.append("the flat field is \(value) everywhere and is not used")
    flats = FrameStack(source: .none, rows: rows, columns: columns)
  }
  if flats.count == 0, darks.count > 0 {
    notices.append("there are darks and no flats: the darks are subtracted")
  }
  let projections = FrameStack(source: .frames(data, Array(0..<count)), rows: rows, columns: columns)
  let info = ScanInfo(
    path: file.path, format: .dxchange, projectionCount: count, rows: rows, columns: columns,
    pixel: data.pixel, flatPixel: flats.pixel, darkPixel: darks.pixel,
    thetas: thetas.radians, thetaSource: thetas.source, flatCount: flats.count, darkCount: darks.count, invalidCount: 0,
    pixelSizeMillimetres: try pixelSizeMillimetres(file, of: [DXchange.pixelSize]), notices: notices)
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

/// Flats or darks: a stack, a single frame, or one number for all pixels. No frames at all are the same as no dataset.
private func openField(_ file: HDF5File, _ names: [String], rows: Int, columns: Int) throws(FileError) -> FrameStack {
  func stack(_ source: FrameStack.Source) -> FrameStack { FrameStack(source: source, rows: rows, columns: columns) }
  guard let name = try file.firstDataset(of: names) else { return stack(.none) }
  let dataset = try HDF5Dataset(file, name)
  switch dataset.shape.count {
  case 3 where dataset.shape[0] == 0: return stack(.none)
  case 3 where Array(dataset.shape[1...]) == [rows, columns]:
    return stack(.frames(dataset, Array(0..<dataset.shape[0])))
  case 2 where dataset.shape == [rows, columns]: return stack(.single(dataset))
  case 0...1 where dataset.shape.allSatisfy { $0 == 1 }:
    let value = try dataset.readAll()[0]
    guard value.isFinite else { throw file.bad("\(name) is \(value)") }
    return stack(.constant(Float(value)))
  default:
    throw file.bad(
      "\(name) is \(dataset.shapeText), and has to be frames of \(rows) × \(columns) as \(DXchange.data) is")
  }
}

private func readThetas(
  _ file: HDF5File, count: Int, unit: ThetaUnit, spacing: ThetaSpacing
) throws(FileError) -> Thetas {
  guard try file.hasDataset(DXchange.theta) else {
    guard try file.hasDataset("\(DXchange.rotation)/rotation_start") else {
      return try Thetas(spacing, count: count, file: file)
    }
    try spacing.refuse(in: file, which: DXchange.rotation)
    return try computeThetas(file, count: count, unit: unit)
  }
  try spacing.refuse(in: file, which: DXchange.theta)
  let values = try file.numbers(DXchange.theta)
  guard values.count == count else {
    throw file.bad("\(DXchange.theta) has \(values.count) values for the \(count) projections of \(DXchange.data)")
  }
  let attribute = try file.text(ofAttribute: "units", of: DXchange.theta)
  return try Thetas(values, of: DXchange.theta, attribute: attribute, unitByDefinition: nil, wanted: unit, file: file)
}

/// theta = start + i × step, in degrees unless `rotation_step` says otherwise.
private func computeThetas(_ file: HDF5File, count: Int, unit: ThetaUnit) throws(FileError) -> Thetas {
  func number(_ key: String) throws(FileError) -> Double {
    let name = "\(DXchange.rotation)/\(key)"
    guard try file.hasDataset(name) else { throw file.bad("it has no thetas: neither \(DXchange.theta) nor \(name)") }
    let values = try file.numbers(name)
    guard values.count == 1 else { throw file.bad("\(name) has \(values.count) values, and has to be one number") }
    return values[0]
  }
  let (start, step, angleCount) = (try number("rotation_start"), try number("rotation_step"), try number("num_angles"))
  guard angleCount == Double(count) else {
    throw file.bad("\(DXchange.rotation)/num_angles is \(angleCount) for the \(count) projections of \(DXchange.data)")
  }
  let attribute = try file.text(ofAttribute: "units", of: "\(DXchange.rotation)/rotation_step")
  let values = (0..<count).map { start + Double($0) * step }
  return try Thetas(
    values, of: DXchange.rotation, attribute: attribute, unitByDefinition: .degrees, wanted: unit, file: file)
}
