/// How frames are mirrored, where somebody knows better than the file.
package enum FrameFlips: String, CaseIterable, Sendable {
  /// As the file says, in NXtomo; not where it says nothing.
  case file
  /// Not at all, whatever the file says.
  case none
  /// Columns.
  case leftRight = "left-right"
  /// Rows.
  case upDown = "up-down"
  /// Columns and rows.
  case both
}

/// What of a file is the scan, where that is not what is found first, or where the layout of the file is not known.
package struct ScanSelection: Equatable, Sendable {
  /// The group of the scan, as `entry0001`, `entry1/tomo_entry` or `exchange`; nil for the first one.
  package var entry: String?
  /// HDF5 path of the frames (frames, y, x); nil for where the layout has them.
  package var dataPath: String?
  /// HDF5 path of one number a frame: 0 projection, 1 flat, 2 dark.
  package var imageKeyPath: String?
  /// HDF5 path of the angles.
  package var thetaPath: String?
  /// How frames are mirrored.
  package var flips = FrameFlips.file
  /// Whether a scan is refused that is not complete.
  package var isStrict = false

  /// Whether flat fields come from elsewhere: then nobody knows what a beam monitor showed of them.
  package var hasOtherFlats = false

  /// What is found first.
  package init() {}

  /// Whether a dataset is named.
  var namesDatasets: Bool { dataPath != nil || imageKeyPath != nil || thetaPath != nil }

  /// The same with HDF5 paths from the root.
  var absolute: ScanSelection {
    func absolute(_ path: String) -> String { "/" + path.split(separator: "/").joined(separator: "/") }
    var selection = self
    selection.entry = entry.map(absolute)
    selection.dataPath = dataPath.map(absolute)
    selection.imageKeyPath = imageKeyPath.map(absolute)
    selection.thetaPath = thetaPath.map(absolute)
    return selection
  }
}
