import Host

// The layout of NXtomo, the NeXus application definition of tomography
// (manual.nexusformat.org/classes/applications/NXtomo.html):
//
//   ENTRY/definition "NXtomo" ENTRY/instrument/detector/data (frames, y, x): projections, flats, darks and invalid
//   frames in the order of acquisition ENTRY/instrument/detector/image_key (frames): 0 projection, 1 flat, 2 dark, 3
//   invalid ENTRY/sample/rotation_angle (frames), degrees unless its `units` say otherwise ENTRY/control/data (frames),
//   where there is one: the beam in each frame
//
// ENTRY is a group of the root, or a group of such a group ("/entry1/tomo_entry"); the detector may have another name.
// A file of no known layout is read likewise, from datasets that somebody names.

/// The datasets of a scan whose frames are all in one.
struct FramePaths {
  /// The NXtomo entry; nil in a file of no known layout.
  let entry: String?
  /// Its detector.
  let detector: String?
  /// Frames (frames, y, x).
  let data: String
  /// One key a frame; nil where every frame is a projection.
  let keys: String?
  /// One angle a frame, or one a projection; nil where there are none.
  let thetas: String?
  /// What was assumed about these.
  let notices: [String]

  /// Those of an entry, but for what `selection` names; without an entry only what it names.
  /// `notice` is what was assumed about the entry. Flat and dark fields have no angles.
  init(
    _ file: HDF5File, entry: String?, _ selection: ScanSelection, _ notice: String?, needsAngles: Bool = true
  ) throws(FileError) {
    self.entry = entry
    for name in [selection.dataPath, selection.imageKeyPath, selection.thetaPath].compactMap(\.self)
    where try !file.hasDataset(name) {
      throw file.bad("it has no dataset \(name); h5ls -r lists what it has")
    }
    guard let entry else {
      guard let data = selection.dataPath else { throw file.bad("--data-path has to name its frames as well") }
      (detector, self.data, keys, thetas) = (nil, data, selection.imageKeyPath, selection.thetaPath)
      notices = keys == nil ? ["no image keys are named: every frame of \(data) is taken as a projection"] : []
      return
    }
    let (detector, others) = try file.detector(of: entry)
    self.detector = detector
    let keyNames = ["\(detector)/image_key", "\(detector)/image_key_control", "\(entry)/data/image_key"]
    let angleNames = ["\(entry)/sample/rotation_angle", "\(entry)/data/rotation_angle"]
    if let named = selection.dataPath {
      data = named
    } else if let found = try file.firstDataset(of: ["\(detector)/data", "\(entry)/data/data"]) {
      data = found
    } else {
      throw file.bad("\(entry.dropFirst()) is an NXtomo without \(detector)/data\(try file.suggestion())")
    }
    keys = try file.firstDataset(of: selection.imageKeyPath.map { [$0] } ?? keyNames)
    thetas = try needsAngles ? required(file, selection.thetaPath.map { [$0] } ?? angleNames) : nil
    notices =
      [notice, selection.dataPath == nil ? others : nil].compactMap(\.self)
      + (keys == nil ? ["there is no \(keyNames[0]): every frame is taken as a projection"] : [])
  }
}

/// Opens a scan whose frames are all in one dataset.
func openFrames(
  _ file: HDF5File, _ paths: FramePaths, thetaUnit: ThetaUnit, spacing: ThetaSpacing, _ selection: ScanSelection
) throws(FileError) -> any ScanReader {
  let data = try HDF5Dataset(file, paths.data)
  try checkIsStack(data, axes: "frame, y, x")
  let (rows, columns) = (data.shape[1], data.shape[2])
  var notices = paths.notices + [data.notice].compactMap { $0 }
  var whole = try CompleteFrames(data, isStrict: selection.isStrict)

  let planned = try readImageKeys(file, paths.keys)
  if let planned, let name = paths.keys {
    try checkIsInOrder(data, values: planned.count, of: name)
    try whole.limit(to: planned.count, name)
  }
  let angles = try readAngles(file, paths, keys: planned, data, spacing, &whole)
  let keys = (0..<whole.count).map { planned?[$0] ?? 0 }
  func stack(_ key: Double) -> FrameStack {
    let frames = keys.indices.filter { keys[$0] == key && whole.has($0) }
    return FrameStack(source: frames.isEmpty ? .none : .frames(data, frames), rows: rows, columns: columns)
  }
  let (projections, flats, darks) = (stack(0), stack(1), stack(2))
  try whole.checkIsStrict()
  guard projections.count > 0 else {
    throw file.bad("no frame of \(data.name) that is there is a projection (image key 0)")
  }
  notices += whole.notices(projections: projections.count, of: (planned ?? keys).count { $0 == 0 })

  let shown = keys.indices.filter { keys[$0] == 0 && whole.has($0) }
  let thetas = try angles.thetas(of: shown, wanted: thetaUnit, file: file)
  if flats.count == 0, darks.count > 0 { notices.append("there are darks and no flats: the data is taken as it is") }
  let taken = keys.indices.map { whole.has($0) ? keys[$0] : 3 }
  let isGrowing = file.isGrowing || whole.hasGrowingSource
  let monitor = try readMonitor(
    file, entry: paths.entry, unless: noMonitorReason(selection, isGrowing: isGrowing), keys: taken,
    frames: whole.planned, notices: &notices)
  var info = ScanInfo(
    path: file.path, format: paths.entry == nil ? .frames : .nxtomo, projectionCount: projections.count, rows: rows,
    columns: columns, pixel: projections.pixel, flatPixel: flats.pixel, darkPixel: darks.pixel,
    thetas: thetas.radians, thetaSource: thetas.source, flatCount: flats.count, darkCount: darks.count,
    invalidCount: keys.indices.count { whole.has($0) && ![0, 1, 2].contains(keys[$0]) },
    pixelSizeMillimetres: try pixelSizeMillimetres(file, of: paths.pixelSizes), notices: thetas.notices + notices)
  if let detector = paths.detector { info.isHalfAcquisition = try readFieldOfView(file, detector: detector) }
  // What lies in the second half was taken behind: most scans have their flats at both ends and none between.
  let middle = shown[shown.count / 2]
  info.flatsBehind = keys.indices.count { keys[$0] == 1 && whole.has($0) && $0 > middle }
  info.isGrowing = isGrowing
  let scan = HDF5ScanReader(info: info, projections: projections, flats: flats, darks: darks)
  return monitor.map { MonitoredReader(scan, $0) } ?? scan
}

/// Why what a beam monitor showed is of no use for a scan; nil where it may be.
private func noMonitorReason(_ selection: ScanSelection, isGrowing: Bool) -> String? {
  if selection.hasOtherFlats { return "nobody knows what it showed of flat fields from elsewhere" }
  return isGrowing ? "its mean changes while more frames are written" : nil
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

extension FramePaths {
  /// Where the size of a pixel may be.
  fileprivate var pixelSizes: [String] {
    [entry.map { "\($0)/sample/x_pixel_size" }, detector.map { "\($0)/x_pixel_size" }].compactMap(\.self)
  }
}

func required(_ file: HDF5File, _ names: [String]) throws(FileError) -> String {
  guard let name = try file.firstDataset(of: names) else { throw file.bad("it has no dataset \(names[0])") }
  return name
}

/// One key a frame that the scan was to have. `image_key_control` also marks alignment frames, with −1; like every key
/// but 0, 1 and 2 they are left out.
func readImageKeys(_ file: HDF5File, _ name: String?) throws(FileError) -> [Double]? {
  guard let name else { return nil }
  let keys = try file.numbers(name)
  if let unknown = keys.first(where: { ![-1, 0, 1, 2, 3].contains($0) }) {
    throw file.bad("\(name) has the value \(unknown); it can be 0 (projection), 1 (flat), 2 (dark) or 3 (invalid)")
  }
  return keys
}

/// The angles of a scan before it is known which of its frames are there.
private enum PlannedAngles {
  /// One a frame.
  case frames([Double], name: String, unit: String?)
  /// One a projection; the numbers of the projections among the frames.
  case projections([Double], name: String, unit: String?, frames: [Int])
  /// Even steps over the projections that the scan was to have.
  case steps(ThetaSpacing, frames: [Int])

  /// Those of some projections, by their numbers among the frames. Other frames may have any angle, or none (NaN).
  func thetas(of shown: [Int], wanted: ThetaUnit, file: HDF5File) throws(FileError) -> Thetas {
    switch self {
    case .frames(let angles, let name, let unit):
      return try Thetas(
        shown.map { angles[$0] }, of: name, attribute: unit, unitByDefinition: .degrees, wanted: wanted, file: file)
    case .projections(let angles, let name, let unit, let frames):
      let values = Set(shown)
      let those = zip(frames, angles).filter { values.contains($0.0) }.map { $0.1 }
      return try Thetas(those, of: name, attribute: unit, unitByDefinition: .degrees, wanted: wanted, file: file)
    case .steps(let spacing, let frames):
      let values = Set(shown)
      return try Thetas(spacing, count: frames.count, path: file.path).keeping(
        frames.indices.filter { values.contains(frames[$0]) })
    }
  }
}

private func readAngles(
  _ file: HDF5File, _ paths: FramePaths, keys: [Double]?, _ data: HDF5Dataset, _ spacing: ThetaSpacing,
  _ whole: inout CompleteFrames
) throws(FileError) -> PlannedAngles {
  let frames = data.shape[0]
  let shown = keys.map { keys in keys.indices.filter { keys[$0] == 0 } } ?? Array(0..<frames)
  guard let name = paths.thetas else {
    if keys == nil { try spacing.checkIsKnown(in: file) }
    return .steps(spacing, frames: shown)
  }
  try spacing.refuse(in: file, which: name)
  let angles = try file.numbers(name)
  let unit = try file.text(ofAttribute: "units", of: name)
  // Some writers have an angle for each projection only.
  if angles.count == shown.count, angles.count != keys?.count ?? frames {
    return .projections(angles, name: name, unit: unit, frames: shown)
  }
  if keys == nil { try checkIsInOrder(data, values: angles.count, of: name) }
  try whole.limit(to: angles.count, name)
  return .frames(angles, name: name, unit: unit)
}
