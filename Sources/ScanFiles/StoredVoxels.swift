package import Host

/// A finished volume on disk, as somebody who looks at it reads it, however it lies there. Not to be used by several
/// threads at once.
package protocol StoredVoxels: AnyObject {
  /// Slices (z); at least 1.
  var slices: Int { get }
  /// Columns of a slice, which has as many rows; at least 1.
  var columns: Int { get }
  /// Edge of a voxel; nil where nobody says it.
  var voxelSizeMillimetres: Double? { get }
  /// The unit of a voxel's value; nil where nobody says it.
  var unit: String? { get }
  /// Bytes that are read for a cut across all slices.
  var crossByteCount: Int { get }

  /// Reads a box (z, y, x) of the volume, slowest extent first. It is inside.
  /// - Throws: `.badData` when what is there turns out to be damaged.
  func read(start: [Int], count: [Int]) throws(FileError) -> [Float]
}
