import Host
import ScanFiles
import Stages

/// A copy of the voxels that is being written; nil where none is asked for.
enum VolumeCopy {
  case hdf5(VolumeHDF5Writer)
  case zarr(ZarrVolume)

  /// Begins to write, where a copy is asked for.
  init?(
    _ form: Gather.Form, path: String, slices: Int, columns: Int, attributes: [String: String],
    about: VolumeDescription
  ) throws(FileError) {
    switch form {
    case .links: return nil
    case .hdf5:
      self = .hdf5(
        try VolumeHDF5Writer(path: path, slices: slices, columns: columns, attributes: attributes, about: about))
    case .zarr:
      self = .zarr(
        try ZarrVolume(
          path: path, slices: slices, columns: columns, depth: slicesOfGroup(columns: columns), version: .v05,
          attributes: attributes, about: about))
    }
  }

  func add(_ slice: UnsafeBufferPointer<Float>, at row: Int) throws(FileError) {
    switch self {
    case .hdf5(let writer): try writer.write(slice: slice, at: row)
    case .zarr(let volume): try volume.add(slice: slice)
    }
  }

  func finish(_ sha256: String) throws(FileError) {
    switch self {
    case .hdf5(let writer): try writer.finish(attributes: ["sha256": sha256])
    case .zarr(let volume): try volume.finish()
    }
  }

  func abandon() {
    switch self {
    case .hdf5(let writer): writer.abandon()
    case .zarr(let volume): volume.abandon()
    }
  }
}
