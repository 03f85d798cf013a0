import CHDF5
import Host

extension HDF5OutputFile {
  /// Creates a dataset of volumes along a new first axis, each of which lies in a file of its own; what is missing of
  /// them reads as NaN. `files` are seen from the folder that this file will be in.
  func createVirtualDataset(_ name: String, of volume: String, in files: [String], shape: [Int]) throws(FileError) {
    try doing("create \(name)") { () throws(HDF5.Failure) in
      let source = shape.map(hsize_t.init)
      let (all, one) = ([hsize_t(files.count)] + source, [1] + source)
      let space = try HDF5Handle { H5Screate_simple(Int32(all.count), all, nil) }
      let part = try HDF5Handle { H5Screate_simple(Int32(source.count), source, nil) }
      let creation = try HDF5Handle { H5Pcreate(chdf5_dataset_create()) }
      let links = try Self.linksToNewGroups()
      _ = try HDF5.call { H5Pset_obj_track_times(creation.id, false) }
      var missing = Float.nan
      _ = try HDF5.call { H5Pset_fill_value(creation.id, chdf5_native_float(), &missing) }
      for (index, file) in files.enumerated() {
        var start = all.map { _ in hsize_t(0) }
        start[0] = hsize_t(index)
        _ = try HDF5.call { H5Sselect_hyperslab(space.id, H5S_SELECT_SET, start, nil, one, nil) }
        _ = try HDF5.call { H5Pset_virtual(creation.id, space.id, file, volume, part.id) }
      }
      _ = try HDF5.call { H5Sselect_all(space.id) }
      _ = try HDF5Handle { H5Dcreate2(id, name, chdf5_float_le(), space.id, links.id, creation.id, 0) }
    }
  }
}
