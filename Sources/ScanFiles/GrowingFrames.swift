package import Host

/// The frames of an HDF5 file that another program is writing. Each look opens it anew, and so sees what came since.
package final class GrowingFrames {
  /// What is known of a frame beside its pixels.
  package struct Description: Equatable, Sendable {
    /// NXtomo's image key; nil where the file has none for it yet.
    package let key: Int?
    /// The angle, in the unit that the file says; nil where it has none for it yet.
    package let theta: Double?
  }

  /// Frames that are there.
  package let count: Int
  /// Rows and columns of each.
  package let shape: (rows: Int, columns: Int)
  /// The type in which they are delivered.
  package let pixel: PixelType
  /// Whether the file may still grow.
  package let isGrowing: Bool
  /// Whether angles are radians.
  package let usesRadians: Bool
  private let data: HDF5Dataset
  private let keys: [Double]
  private let thetas: [Double]

  /// Nil while there is no dataset of frames yet.
  /// - Throws: `.cannotOpen` and `.badData` while the file cannot be read, which its writer may be about to change.
  /// - Parameter known: frames that were there at an earlier look.
  package init?(path: String, selection: ScanSelection, known: Int = 0) throws(FileError) {
    let (file, selection) = (try HDF5File(path: path), selection.absolute)
    guard let (name, keyNames, thetaNames) = try Self.names(file, selection), try file.hasDataset(name) else {
      return nil
    }
    data = try HDF5Dataset(file, name)
    guard data.shape.count == 3 else {
      throw file.bad("\(name) is \(data.shapeText), and has to be of rank 3 (frame, y, x)")
    }
    func numbers(_ names: [String]) throws(FileError) -> (values: [Double], name: String?) {
      guard let name = try file.firstDataset(of: names) else { return ([], nil) }
      return (try file.numbers(name), name)
    }
    keys = try numbers(keyNames).values
    let angles = try numbers(thetaNames)
    thetas = angles.values
    var unit: String?
    if let name = angles.name { unit = try file.text(ofAttribute: "units", of: name) }
    usesRadians = unit?.lowercased().hasPrefix("rad") ?? false
    // A frame is there when all of its sources have it, and somebody has written to it.
    let extent = min(data.missing.min() ?? data.shape[0], data.shape[0])
    count = try Self.writtenCount(data, extent, from: known)
    (shape, pixel) = ((data.shape[1], data.shape[2]), data.pixel)
    isGrowing = file.isGrowing || data.hasGrowingSource
  }

  /// Frames before the first one, from `known` on, that nobody has written to.
  private static func writtenCount(_ data: HDF5Dataset, _ extent: Int, from known: Int) throws(FileError) -> Int {
    var count = min(known, extent)
    while count < extent, try data.isWritten(count) { count += 1 }
    return count
  }

  /// What is known of a frame.
  package func description(of frame: Int) -> Description {
    Description(
      key: frame < keys.count ? Int(exactly: keys[frame]) : nil,
      theta: frame < thetas.count && thetas[frame].isFinite ? thetas[frame] : nil)
  }

  /// Reads a frame, row by row.
  package func read(_ frame: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    precondition((0..<count).contains(frame), "frame \(frame) of \(count)")
    try data.read(start: [frame, 0, 0], count: [1, shape.rows, shape.columns], into: buffer)
  }

  /// Where frames, keys and angles are; nil where the file does not say yet.
  private static func names(
    _ file: HDF5File, _ selection: ScanSelection
  ) throws(FileError) -> (data: String, keys: [String], thetas: [String])? {
    let (keys, thetas) = (selection.imageKeyPath.map { [$0] }, selection.thetaPath.map { [$0] })
    if let data = selection.dataPath { return (data, keys ?? [], thetas ?? []) }
    switch try file.entry(selection.entry).entry {
    case .dxchange(let group): return ("\(group)/data", keys ?? [], thetas ?? ["\(group)/theta"])
    case .nxtomo(let entry):
      let detector = try file.detector(of: entry).path
      let data = try file.firstDataset(of: ["\(detector)/data", "\(entry)/data/data"])
      return (
        data ?? "\(detector)/data", keys ?? ["\(detector)/image_key", "\(detector)/image_key_control"],
        thetas ?? ["\(entry)/sample/rotation_angle", "\(entry)/data/rotation_angle"]
      )
    case nil: return nil
    }
  }
}
