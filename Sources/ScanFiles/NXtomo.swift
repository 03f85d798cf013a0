import Host

// The layout of NXtomo, the NeXus application definition of tomography
// (manual.nexusformat.org/classes/applications/NXtomo.html):
//
//   ENTRY/definition "NXtomo" ENTRY/instrument/detector/data (frames, y, x): projections, flats, darks and invalid
//   frames in the order of acquisition ENTRY/instrument/detector/image_key (frames): 0 projection, 1 flat, 2 dark, 3
//   invalid ENTRY/sample/rotation_angle (frames), degrees unless its `units` say otherwise ENTRY/control/data (frames),
//   where there is one: the beam in each frame
//
// ENTRY is a group of the root, or a group of such a group ("/entry1/tomo_entry").

/// The absolute path of the first entry whose definition is NXtomo, or nil.
///
/// A link that leads nowhere on the way is reported only when no entry is found: the entry may be behind it.
func findNXtomoEntry(_ file: HDF5File) throws(FileError) -> String? {
  var failure: FileError?
  func isNXtomo(_ group: String) -> Bool {
    do throws(FileError) {
      // Old files of this one path have no definition.
      guard try file.hasDataset("\(group)/definition") else { return group == "/entry1/tomo_entry" }
      return try file.text(ofDataset: "\(group)/definition") == "NXtomo"
    } catch {
      failure = failure ?? error
      return false
    }
  }
  for name in try file.links(in: "/") {
    let group = "/\(name)"
    if isNXtomo(group) { return group }
    do throws(FileError) {
      guard try file.kind(of: group) == .group else { continue }
      for inner in try file.links(in: group) where isNXtomo("\(group)/\(inner)") { return "\(group)/\(inner)" }
    } catch {
      failure = failure ?? error
    }
  }
  if let failure { throw failure }
  return nil
}

/// Opens the NXtomo entry of a file.
func openNXtomo(_ file: HDF5File, entry: String, thetaUnit: ThetaUnit) throws(FileError) -> any ScanReader {
  let detector = "\(entry)/instrument/detector"
  let data = try HDF5Dataset(file, try required(file, ["\(detector)/data", "\(entry)/data/data"]))
  try checkIsStack(data, axes: "frame, y, x")
  let (frameCount, rows, columns) = (data.shape[0], data.shape[1], data.shape[2])
  var notices = [data.notice].compactMap { $0 }

  let keys = try readImageKeys(file, detector: detector, entry: entry, frameCount: frameCount, notices: &notices)
  func stack(_ key: Double) -> FrameStack {
    let frames = keys.indices.filter { keys[$0] == key }
    return FrameStack(source: frames.isEmpty ? .none : .frames(data, frames), rows: rows, columns: columns)
  }
  let (projections, flats, darks) = (stack(0), stack(1), stack(2))
  guard projections.count > 0 else { throw file.bad("no frame of \(data.name) is a projection (image key 0)") }

  let thetas = try readRotationAngles(file, entry: entry, keys: keys, unit: thetaUnit)
  if flats.count == 0, darks.count > 0 { notices.append("there are darks and no flats: the data is taken as it is") }
  let monitor = try readMonitor(file, entry: entry, keys: keys, notices: &notices)
  var info = ScanInfo(
    path: file.path, format: .nxtomo, projectionCount: projections.count, rows: rows, columns: columns,
    pixel: projections.pixel, flatPixel: flats.pixel, darkPixel: darks.pixel,
    thetas: thetas.radians, thetaSource: thetas.source, flatCount: flats.count, darkCount: darks.count,
    invalidCount: frameCount - projections.count - flats.count - darks.count,
    pixelSizeMillimetres: try pixelSizeMillimetres(
      file, of: ["\(entry)/sample/x_pixel_size", "\(detector)/x_pixel_size"]),
    notices: thetas.notices + notices)
  info.isHalfAcquisition = try readFieldOfView(file, detector: detector)
  // What lies in the second half was taken behind: most scans have their flats at both ends and none between.
  let shown = keys.indices.filter { keys[$0] == 0 }, middle = shown[shown.count / 2]
  info.flatsBehind = keys.indices.count { keys[$0] == 1 && $0 > middle }
  let scan = HDF5ScanReader(info: info, projections: projections, flats: flats, darks: darks)
  return monitor.map { MonitoredReader(scan, $0) } ?? scan
}

/// Whether the detector's field of view is said to be `Half`, as in files that nxtomomill makes; other words say
/// nothing.
private func readFieldOfView(_ file: HDF5File, detector: String) throws(FileError) -> Bool? {
  let name = "\(detector)/field_of_view"
  guard try file.hasDataset(name) else { return nil }
  return switch try file.text(ofDataset: name)?.lowercased() {
  case "half": true
  case "full": false
  default: nil
  }
}

private func required(_ file: HDF5File, _ names: [String]) throws(FileError) -> String {
  guard let name = try file.firstDataset(of: names) else { throw file.bad("it has no dataset \(names[0])") }
  return name
}

/// One key a frame. `image_key_control` also marks alignment frames, with −1; like every key but 0, 1 and 2 they are
/// left out.
private func readImageKeys(
  _ file: HDF5File, detector: String, entry: String, frameCount: Int, notices: inout [String]
) throws(FileError) -> [Double] {
  let names = ["\(detector)/image_key", "\(detector)/image_key_control", "\(entry)/data/image_key"]
  guard let name = try file.firstDataset(of: names) else {
    notices.append("there is no \(names[0]): every frame is taken as a projection")
    return [Double](repeating: 0, count: frameCount)
  }
  let keys = try file.numbers(name)
  guard keys.count == frameCount else { throw file.bad("\(name) has \(keys.count) values for \(frameCount) frames") }
  if let unknown = keys.first(where: { ![-1, 0, 1, 2, 3].contains($0) }) {
    throw file.bad("\(name) has the value \(unknown); it can be 0 (projection), 1 (flat), 2 (dark) or 3 (invalid)")
  }
  return keys
}

/// The angles of the projections among the frames. Other frames may have any angle, or none (NaN).
private func readRotationAngles(_ file: HDF5File, entry: String, keys: [Double], unit: ThetaUnit) throws(FileError)
  -> Thetas
{
  let name = try required(file, ["\(entry)/sample/rotation_angle", "\(entry)/data/rotation_angle"])
  let angles = try file.numbers(name)
  guard angles.count == keys.count else {
    throw file.bad("\(name) has \(angles.count) values for \(keys.count) frames")
  }
  let attribute = try file.text(ofAttribute: "units", of: name)
  let values = zip(angles, keys).filter { $0.1 == 0 }.map { $0.0 }
  return try Thetas(values, of: name, attribute: attribute, unitByDefinition: .degrees, wanted: unit, file: file)
}
