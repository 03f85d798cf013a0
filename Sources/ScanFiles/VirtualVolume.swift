import CHDF5
package import Host

/// Slices of a volume that lie in another file.
package struct VolumePiece: Equatable, Sendable {
  /// That file; a path that is not absolute begins at the folder of the volume's file.
  package let path: String
  /// Its dataset (z, y, x).
  let dataset: String
  /// Slices that it has.
  let slicesThere: Int
  /// Which of them are meant.
  package let source: Range<Int>
  /// The number of the first one in the volume.
  package let first: Int

  /// The values as given.
  package init(path: String, dataset: String, slicesThere: Int, source: Range<Int>, first: Int) {
    precondition(!source.isEmpty && source.lowerBound >= 0 && source.upperBound <= slicesThere, "slices \(source)")
    (self.path, self.dataset, self.slicesThere, self.source, self.first) = (path, dataset, slicesThere, source, first)
  }

  /// The slices of the volume.
  var target: Range<Int> { first..<first + source.count }
}

/// Writes a volume whose slices stay where they are: `/exchange/data` (z, y, x) is a virtual dataset of HDF5 over
/// `pieces`, and everything else is what `VolumeHDF5Writer` writes beside its voxels. What no piece has reads as NaN.
/// - Throws: `.cannotCreate` or `.io`; then nothing of the file is left.
package func writeVirtualVolume(
  path: String, slices: Int, columns: Int, pieces: [VolumePiece], attributes: [String: String],
  about: VolumeDescription
) throws(FileError) {
  precondition(slices > 0 && columns > 0, "a volume of nothing")
  precondition(pieces.allSatisfy { $0.target.upperBound <= slices && $0.first >= 0 }, "a piece outside of the volume")
  let file = try HDF5OutputFile(path: path)
  try file.describe(about, slices: slices, columns: columns)
  try file.createVirtualDataset(DXchange.data, shape: [slices, columns, columns], pieces: pieces)
  try file.setAttribute("axes", "z:y:x", of: DXchange.data)
  for (name, text) in attributes.sorted(by: { $0.key < $1.key }) {
    try file.setAttribute(name, text, of: DXchange.data)
  }
  try file.setSignal(DXchange.data, about)
  try file.finish()
}

extension HDF5OutputFile {
  /// Creates a dataset of floats whose values lie in other files.
  fileprivate func createVirtualDataset(_ name: String, shape: [Int], pieces: [VolumePiece]) throws(FileError) {
    try doing("create \(name)") { () throws(HDF5.Failure) in
      let extents = shape.map(hsize_t.init)
      let space = try HDF5Handle { H5Screate_simple(Int32(extents.count), extents, nil) }
      let creation = try HDF5Handle { H5Pcreate(chdf5_dataset_create()) }
      let links = try Self.linksToNewGroups()
      _ = try HDF5.call { H5Pset_obj_track_times(creation.id, false) }
      var fill = Float.nan
      _ = try HDF5.call { H5Pset_fill_value(creation.id, chdf5_native_float(), &fill) }
      for piece in pieces {
        let there = [hsize_t(piece.slicesThere)] + extents.dropFirst()
        let source = try HDF5Handle { H5Screate_simple(Int32(there.count), there, nil) }
        let count = [hsize_t(piece.source.count)] + extents.dropFirst()
        func select(_ space: borrowing HDF5Handle, from first: Int) throws(HDF5.Failure) {
          let id = space.id, start = [hsize_t(first)] + extents.dropFirst().map { _ in 0 }
          _ = try HDF5.call { H5Sselect_hyperslab(id, H5S_SELECT_SET, start, nil, count, nil) }
        }
        try select(source, from: piece.source.lowerBound)
        try select(space, from: piece.first)
        _ = try HDF5.call { H5Pset_virtual(creation.id, space.id, piece.path, piece.dataset, source.id) }
      }
      _ = try HDF5.call { H5Sselect_all(space.id) }
      _ = try HDF5Handle { H5Dcreate2(id, name, chdf5_float_le(), space.id, links.id, creation.id, 0) }
    }
  }
}
