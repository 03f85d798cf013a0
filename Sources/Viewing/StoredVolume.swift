import Glibc
package import Host
package import KernelTypes
import ScanFiles

/// A finished volume in an HDF5 file, or in an OME-Zarr folder.
package final class StoredVolume: ViewedVolume {
  private let reader: any StoredVoxels
  package let name: String
  package let identity: UInt64
  package let isLive = false
  package let generations: [UInt64] = [0]
  /// Nil of a folder, whose chunks are complete or refused.
  private let file: OpenedFile?

  /// A cut across slices reads parts of all of them: up to so many bytes.
  private static let crossBytesMax = 1 << 30
  /// A slice is held in memory.
  private static let columnsMax = 16_384

  /// - Throws: as `VolumeReader` and `ZarrReader`, and `.badData` where slices are too large to be shown.
  package init(path: String) throws(FileError) {
    if Self.isFolder(path) {
      (reader, file) = (try ZarrReader(path: path), nil)
    } else {
      let volume = try VolumeReader(path: path)
      (reader, file) = (volume, OpenedFile(path, byteCount: try volume.fileByteCount))
    }
    guard reader.columns <= Self.columnsMax else {
      throw .badData(
        path: path, reason: "its slices are \(reader.columns) voxels wide, \(Self.columnsMax) at most can be shown")
    }
    name = path.split(separator: "/").last.map(String.init) ?? path
    identity = Self.identity(ofFile: path)
    if let damage = file?.damage { throw damage }
  }

  private static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// What tells the file or folder at `path` from others that were, or will be, there; changes where the file does.
  package static func identity(ofFile path: String) -> UInt64 {
    var status = stat()
    // One that is gone has zeros, which name it as well as anything.
    _ = stat(path, &status)
    let words = [
      UInt64(truncatingIfNeeded: status.st_ino), UInt64(truncatingIfNeeded: status.st_size),
      UInt64(truncatingIfNeeded: status.st_mtim.tv_sec), UInt64(truncatingIfNeeded: status.st_mtim.tv_nsec),
    ]
    return words.reduce(0) { ($0 ^ $1) &* 0x9E37_79B9_7F4A_7C15 }
  }

  package var slices: Int { reader.slices }
  package var columns: Int { reader.columns }
  package var voxelSizeMillimetres: Double? { reader.voxelSizeMillimetres }
  package var unit: String { reader.unit ?? "" }

  package var axes: [CutAxis] { reader.crossByteCount > Self.crossBytesMax ? [.z] : [.z, .y, .x] }

  package func plane(_ axis: CutAxis, at index: Int, edgeMax: Int) throws(PlaneMissing) -> Plane {
    precondition((0..<count(along: axis)).contains(index) && edgeMax > 0, "cut \(axis) at \(index)")
    let size = size(of: axis)
    let (start, count) =
      switch axis {
      case .z: ([index, 0, 0], [1, columns, columns])
      case .y: ([0, index, 0], [slices, 1, columns])
      case .x: ([0, 0, index], [slices, columns, 1])
      }
    var values: [Float]
    do { values = try reader.read(start: start, count: count) } catch { throw .unreadable(error.description) }
    if let damage = file?.damage { throw .unreadable(damage.description) }
    // (z, y) in the file, y × z on the screen.
    if axis == .x { values = Self.transposed(values, columns: columns, rows: slices) }
    return Self.thinned(Plane(columns: size.columns, rows: size.rows, values: values, generations: [0]), edgeMax)
  }

  private static func transposed(_ values: [Float], columns: Int, rows: Int) -> [Float] {
    var turned = [Float](repeating: 0, count: values.count)
    for row in 0..<rows { for column in 0..<columns { turned[column * rows + row] = values[row * columns + column] } }
    return turned
  }

  private static func thinned(_ plane: Plane, _ edgeMax: Int) -> Plane {
    func picked(_ count: Int) -> [Int] {
      let step = (count + edgeMax - 1) / edgeMax
      return Array(stride(from: step / 2, to: count, by: step))
    }
    guard max(plane.columns, plane.rows) > edgeMax else { return plane }
    let (columns, rows) = (picked(plane.columns), picked(plane.rows))
    return Plane(
      columns: columns.count, rows: rows.count,
      values: rows.flatMap { row in columns.map { plane.values[row * plane.columns + $0] } },
      generations: plane.generations)
  }
}

/// A file that is open. Behind the end of one that was cut short since, HDF5 reads zeros, and they look like voxels.
private struct OpenedFile {
  private let path: String
  private let (inode, byteCount): (UInt64, Int)

  /// The file at `path`, which has so many bytes when all of it is there.
  init(_ path: String, byteCount: Int) {
    (self.path, self.byteCount) = (path, byteCount)
    inode = Self.look(path)?.inode ?? 0
  }

  /// What has happened to it; nil where all of it is there. One in whose place another file was put is there as long as
  /// it is open.
  var damage: FileError? {
    guard let now = Self.look(path), now.inode == inode, now.byteCount < byteCount else { return nil }
    return .badData(path: path, reason: "it is cut short: \(now.byteCount) of \(byteCount) B are there")
  }

  private static func look(_ path: String) -> (inode: UInt64, byteCount: Int)? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return (UInt64(status.st_ino), Int(status.st_size))
  }
}
