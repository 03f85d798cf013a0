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
  /// What was assumed of the file, and what of it is not used, in sentences.
  package let notices: [String]
  let data: HDF5Dataset
  let paths: GrowingPaths
  let keys: [Double]
  let thetas: [Double]
  /// How frames are mirrored in the file; nil where they are not.
  private let flips: DetectorFlips?

  /// Nil while there is no dataset of frames yet.
  /// - Throws: `.cannotOpen` and `.badData` while the file cannot be read, which its writer may be about to change.
  /// - Parameters:
  ///   - thetaUnit: the unit of its angles, where somebody says it.
  ///   - known: frames that were there at an earlier look.
  package init?(
    path: String, selection: ScanSelection, thetaUnit: ThetaUnit = .automatic, known: Int = 0
  ) throws(FileError) {
    let (file, selection) = (try HDF5File(path: path), selection.absolute)
    guard let paths = try GrowingPaths(file, selection), try file.hasDataset(paths.data) else { return nil }
    self.paths = paths
    data = try HDF5Dataset(file, paths.data)
    guard data.shape.count == 3 else {
      throw file.bad("\(paths.data) is \(data.shapeText), and has to be of rank 3 (frame, y, x)")
    }
    keys = try paths.keys.map { name throws(FileError) in try file.numbers(name) } ?? []
    thetas = try paths.thetas.map { name throws(FileError) in try file.numbers(name) } ?? []
    let unit = try paths.radians(in: file, wanted: thetaUnit)
    usesRadians = unit.usesRadians
    let (flips, flipNotice) = try paths.flips(in: file, selection.flips)
    self.flips = flips.flatMap { $0.isAny ? $0 : nil }
    isGrowing = file.isGrowing || data.hasGrowingSource
    notices =
      [unit.notice, flipNotice, isGrowing ? Self.waitNotice(data) : nil].compactMap(\.self)
      + (try paths.unused(in: file, selection))
    // A frame is there when all of its sources have it, and somebody has written to it.
    let extent = min(data.missing.min() ?? data.shape[0], data.shape[0])
    count = try Self.writtenCount(data, extent, from: known, isGrowing: isGrowing)
    (shape, pixel) = ((data.shape[1], data.shape[2]), data.pixel)
  }

  /// Frames before the first one, from `known` on, that nobody has written to yet.
  ///
  /// Of a chunk that several frames share nobody knows how much of it was written, before there is another one behind
  /// it; of frames that are in no chunks nobody knows anything while the file is written.
  private static func writtenCount(
    _ data: HDF5Dataset, _ extent: Int, from known: Int, isGrowing: Bool
  ) throws(FileError) -> Int {
    var count = min(known, extent)
    guard isGrowing, !data.isVirtual else {
      while count < extent, try data.isWritten(count) { count += 1 }
      return count
    }
    let depth = data.chunkDepth
    guard depth > 0 else { return count }
    while count < extent, try data.isWritten(count) {
      let next = (count / depth + 1) * depth
      if depth > 1 { guard next < extent, try data.isWritten(next) else { return count } }
      count += 1
    }
    return count
  }

  private static func waitNotice(_ data: HDF5Dataset) -> String? {
    if data.isVirtual || data.chunkDepth == 1 { return nil }
    return data.chunkDepth == 0
      ? "\(data.name) is not stored in chunks: its frames are taken when the file is closed"
      : "\(data.name) has \(data.chunkDepth) frames a chunk: they are taken when there are others behind them"
  }

  /// What is known of a frame.
  package func description(of frame: Int) -> Description {
    Description(
      key: frame < keys.count ? Int(exactly: keys[frame]) : nil,
      theta: frame < thetas.count && thetas[frame].isFinite ? thetas[frame] : nil)
  }

  /// Reads a frame, row by row, as it is without being mirrored.
  package func read(_ frame: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    precondition((0..<count).contains(frame), "frame \(frame) of \(count)")
    try data.read(start: [frame, 0, 0], count: [1, shape.rows, shape.columns], into: buffer)
    flips?.mirror(buffer, rows: shape.rows, columns: shape.columns, pixel)
  }
}
