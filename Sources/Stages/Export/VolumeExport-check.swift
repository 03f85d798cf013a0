import ScanFiles

extension VolumeExport {
  /// Reads everything that was written back from the disk and compares it with the volume; false where a stop was
  /// requested.
  /// - Throws: `.badData` of the first file that is not what was written.
  func check() throws -> Bool {
    let slice = UnsafeMutableBufferPointer<Float>.allocate(capacity: source.columns * source.columns)
    defer { slice.deallocate() }
    let pixels = configuration.tiff?.pixels(range())
    let volume = try configuration.hdf5Name.map { try VolumeReader(uncached: "\(configuration.folder)/\($0)") }
    for index in 0..<source.count {
      if stopRequested() { return false }
      load(index, into: slice)
      let values = UnsafeBufferPointer(slice)
      if let pixels {
        try checkTIFF(
          path: path(ofSlice: index), columns: source.columns, rows: source.columns, values: values, pixels: pixels)
      }
      try volume?.check(index, values)
    }
    return true
  }
}
