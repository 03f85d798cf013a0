import Host

/// Where a file that is being written has its frames, and what goes with them.
struct GrowingPaths {
  /// Frames (frame, y, x).
  let data: String
  /// One key a frame; nil where there are none, or not yet.
  let keys: String?
  /// One angle a frame; nil likewise.
  let thetas: String?
  /// The group that they are in; nil where somebody named them.
  private let entry: ScanEntry?
  /// Of an NXtomo entry.
  private let detector: String?

  /// Nil where the file does not say yet.
  init?(_ file: HDF5File, _ selection: ScanSelection) throws(FileError) {
    let (keyNames, thetaNames): ([String], [String])
    if let named = selection.dataPath {
      (data, entry, detector, keyNames, thetaNames) = (named, nil, nil, [], [])
    } else {
      entry = try file.entry(selection.entry).entry
      switch entry {
      case .dxchange(let group):
        (data, detector, keyNames, thetaNames) = ("\(group)/data", nil, [], ["\(group)/theta"])
      case .nxtomo(let entry):
        let detector = try file.detector(of: entry).path
        self.detector = detector
        data =
          try file.firstDataset(of: ["\(detector)/data", "\(entry)/data/data"]) ?? "\(detector)/data"
        keyNames = ["\(detector)/image_key", "\(detector)/image_key_control"]
        thetaNames = ["\(entry)/sample/rotation_angle", "\(entry)/data/rotation_angle"]
      case nil: return nil
      }
    }
    keys = try file.firstDataset(of: selection.imageKeyPath.map { [$0] } ?? keyNames)
    thetas = try file.firstDataset(of: selection.thetaPath.map { [$0] } ?? thetaNames)
  }

  /// Whether angles are radians: as somebody says, or the file does. Angles of which only the first are there cannot
  /// show what they are.
  func radians(in file: HDF5File, wanted: ThetaUnit) throws(FileError) -> (usesRadians: Bool, notice: String?) {
    guard wanted == .automatic, let thetas else { return (wanted == .radians, nil) }
    switch try Thetas.unit(try file.text(ofAttribute: "units", of: thetas), of: thetas, isNeeded: true, file: file) {
    case .radians: return (true, nil)
    case .degrees, .automatic: return (false, nil)
    case nil: return (false, "\(thetas) has no unit and is taken as degrees; --theta-unit radians decides otherwise")
    }
  }

  /// How frames are mirrored in the file, or as somebody says, and a word about it.
  func flips(
    in file: HDF5File, _ asked: FrameFlips
  ) throws(FileError) -> (flips: DetectorFlips?, notice: String?) {
    var said: DetectorFlips?
    if case .nxtomo(let entry) = entry, let detector {
      said = try DetectorFlips(file, entry: entry, detector: detector)
    }
    if asked != .file {
      let flips = DetectorFlips(asked: asked)
      return (flips, FlippedReader.notice(flips, asked: true, file: said))
    }
    return (said, said.flatMap { FlippedReader.notice($0, asked: false, file: nil) })
  }

  /// What the file has and nobody looks at while it is followed.
  func unused(in file: HDF5File, _ selection: ScanSelection) throws(FileError) -> [String] {
    switch entry {
    case .dxchange(let group) where !selection.hasOtherFlats:
      var fields: [String] = []
      for name in ["data_white", "data_white_pre", "data_dark"].map({ "\(group)/\($0)" })
      where try file.hasDataset(name) { fields.append(name) }
      return fields.isEmpty
        ? []
        : [
          "\(fields.joined(separator: " and ")) of a file that is followed are not used; --fields \(file.path) takes "
            + "them where they are complete"
        ]
    case .nxtomo(let entry):
      let name = monitorName(entry)
      do throws(FileError) {
        guard try file.hasDataset(name) else { return [] }
      } catch { return [] }
      return ["the beam monitor, \(name), is not used: its mean changes while more frames are written"]
    case .dxchange, nil: return []
    }
  }
}
