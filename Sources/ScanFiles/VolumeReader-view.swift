package import Host

// What a viewer asks of a volume's file.
extension VolumeReader: StoredVoxels {
  /// A slice is in one piece, so that all of them are read.
  package var crossByteCount: Int {
    let (bytes, hasOverflown) = (slices * columns).multipliedReportingOverflow(by: columns * MemoryLayout<Float>.size)
    return hasOverflown ? .max : bytes
  }

  package func read(start: [Int], count: [Int]) throws(FileError) -> [Float] {
    var values = [Float](repeating: 0, count: count.reduce(1, *))
    try values.withUnsafeMutableBufferPointer { buffer throws(FileError) in
      try dataset.read(start: start, count: count, into: buffer)
    }
    return values
  }

  /// Bytes that the file has when all of it is there; 0 for one that is being written.
  package var fileByteCount: Int {
    get throws(FileError) { dataset.file.isGrowing ? 0 : try dataset.file.byteCount }
  }

  /// Edge of a voxel, as `VolumeHDF5Writer` says it; nil where the file does not say it so.
  package var voxelSizeMillimetres: Double? {
    let words = text("voxel_size")?.split(separator: " ") ?? []
    guard words.count == 2, let size = Double(words[0]), size > 0, size.isFinite else { return nil }
    return ["um": size / 1000, "mm": size][words[1]]
  }

  /// The unit of a voxel's value; nil where the file does not say it.
  package var unit: String? { text("units") }

  /// What the file says of the volume under a name; nil where it says nothing, or nothing that can be read.
  package func text(_ attribute: String) -> String? {
    (try? dataset.file.text(ofAttribute: attribute, of: datasetName)) ?? nil
  }

  /// Radians of the projections, as `VolumeHDF5Writer` says them; none where the file does not.
  package var thetas: [Double] {
    let degrees = (try? dataset.file.numbers("/entry/reconstruction/parameters/rotation_angle")) ?? []
    return degrees.map { $0 * .pi / 180 }
  }
}
