/// What a volume's file says of the scan behind it, beside its voxels.
package struct VolumeDescription: Sendable {
  /// The scan's name, where its file has no title.
  package var name = "volume"
  /// The number of the first slice: its row of the (binned) detector.
  package var firstSlice = 0
  /// Edge of a voxel; nil where nobody knows it, and voxels are the unit.
  package var voxelSizeMillimetres: Double?
  /// The rotation axis in pixels of the detector from its left edge; nil where nobody says.
  package var rotationAxis: Double?
  /// Projections that came, of those whose thetas `metadata` has.
  package var projections: Int?
  /// Radians of the projections of a live source, in the order in which they came; nil where `metadata` has them.
  package var thetas: [Double]?
  /// The scan file, or the address of the source.
  package var source = "unknown"
  /// When the run was planned, in ISO 8601; nil where nobody says.
  package var date: String?
  /// The options that were in effect, by their names.
  package var options: [String: String] = [:]
  /// Path of what `ScanMetadata` wrote of the scan; nil for none.
  package var metadata: String?

  /// Nothing but that it is a volume.
  package init() {}

  /// The unit of lengths in files, and the edge of a voxel in it.
  var voxel: (unit: String, size: Double) { voxelSizeMillimetres.map { ("um", $0 * 1000) } ?? ("pixel", 1) }

  /// Positions of voxel centres along z, y and x. z counts the rows of the detector; y and x begin at the rotation
  /// axis, which is in the middle of a slice.
  func positions(slices: Int, columns: Int) -> [(axis: String, centres: [Double])] {
    let size = voxel.size, middle = 0.5 * Double(columns - 1)
    let inSlice = (0..<columns).map { (Double($0) - middle) * size }
    return [("z", (0..<slices).map { Double(firstSlice + $0) * size }), ("y", inSlice), ("x", inSlice)]
  }
}
