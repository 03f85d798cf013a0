import ScanFiles

extension VolumeExport {
  /// Reads everything that was written back from the disk and compares it with the volume; false where a stop was
  /// requested.
  /// - Throws: `.badData` of the first file that is not what was written.
  func check() throws -> Bool {
    let range = try self.range(), pixels = configuration.tiff?.pixels(range)
    let volume = try configuration.hdf5Name.map { try VolumeReader(uncached: "\(configuration.folder)/\($0)") }
    let zarr = configuration.zarr.map { zarr in
      ZarrVolume(
        checking: "\(configuration.folder)/\(zarr.name)", slices: source.count, columns: source.columns,
        depth: slicesOfGroup(columns: source.columns), version: zarr.version)
    }
    return try forEachGroup { group, voxels in
      scale(voxels)
      for (slice, index) in group.enumerated() {
        if stopRequested() { return false }
        let memory = slices(voxels, slice), values = UnsafeBufferPointer(memory)
        try volume?.check(index, values)
        try zarr?.add(slice: values)
        guard let pixels else { continue }
        if configuration.masksIntegers, pixels != .float32 { mask(memory) }
        try checkTIFF(
          path: path(ofSlice: index), columns: source.columns, rows: source.columns, values: values, pixels: pixels)
      }
      return true
    }
  }
}
