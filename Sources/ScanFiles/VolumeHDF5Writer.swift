import CHDF5
package import Host

/// Writes a reconstructed volume as `/exchange/data` (z, y, x) f32, in chunks of one slice, and as the data of an entry
/// that follows NXtomoproc. Not to be used by several threads at once.
package final class VolumeHDF5Writer {
  private let file: HDF5OutputFile
  private let data: HDF5OutputDataset
  private var missing: Set<Int>

  /// libhdf5 takes no chunk of 4 GiB or more.
  private static let chunkBytesMax = 1 << 30

  /// Creates the file under a temporary name and reserves its disk space.
  /// - Parameters:
  ///   - columns: of a slice, which has as many rows.
  ///   - attributes: texts for the dataset, such as `description`, `units` and `command`; `axes = "z:y:x"` is there
  ///     already.
  ///   - about: the scan behind the volume.
  ///   - compresses: whether chunks are compressed by what every libhdf5 has, shuffle and deflate.
  /// - Throws: `.cannotCreate`, or `.io` when the disk has not enough room.
  package init(
    path: String, slices: Int, columns: Int, attributes: [String: String] = [:],
    about: VolumeDescription = VolumeDescription(), compresses: Bool = false
  ) throws(FileError) {
    precondition(slices > 0 && columns > 0, "a volume of nothing")
    file = try HDF5OutputFile(path: path)
    try file.describe(about, slices: slices, columns: columns)
    let chunkRows = min(columns, max(1, Self.chunkBytesMax / (columns * MemoryLayout<Float>.size)))
    data = try file.createDataset(
      DXchange.data, type: chdf5_float_le, shape: [slices, columns, columns], chunk: [1, chunkRows, columns],
      compresses: compresses)
    missing = Set(0..<slices)
    try data.setAttribute("axes", "z:y:x")
    try data.setAttributes(attributes)
    try file.setSignal(DXchange.data, about)
    try file.reserve()
  }

  /// Writes slice `z` of columns × columns values, row 0 on top.
  /// - Throws: `.io`.
  package func write(slice: UnsafeBufferPointer<Float>, at z: Int) throws(FileError) {
    precondition(0..<data.shape[0] ~= z, "slice \(z) of \(data.shape[0])")
    precondition(
      slice.count == data.shape[1] * data.shape[2], "a slice of \(slice.count) values in a volume of \(data.shape)")
    try data.write(chdf5_native_float, at: z, UnsafeRawBufferPointer(slice))
    missing.remove(z)
  }

  /// Has the system begin to write what it holds of the file, so that `finish` has less to wait for.
  package func beginWriting() { file.beginWriting() }

  /// Adds texts to the dataset's attributes, makes the file durable and gives it its name. Every slice has to be
  /// written by then.
  /// - Throws: `.io` or `.cannotCreate`; then nothing of the file is left.
  package func finish(attributes: [String: String] = [:]) throws(FileError) {
    precondition(missing.isEmpty, "\(missing.count) slices of \(file.path) were not written")
    try data.setAttributes(attributes)
    try file.finish()
  }

  /// Removes what was written. Also done when the writer goes away without `finish`.
  package func abandon() { file.abandon() }
}
