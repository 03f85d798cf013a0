import Host
import ScanFiles

/// Writes the files of a finished volume. Every file is complete under its name or not there.
struct VolumeExport {
  let configuration: ExportConfiguration
  let source: any SliceSource
  /// How a file waits for room on a full disk; nil where that is an error.
  let room: RoomWait?
  let stopRequested: () -> Bool

  /// Writes everything, `facts` about the run with it; returns the paths and the volume's checksum, nil where a stop
  /// was requested in between.
  func write(_ facts: [String: String]) throws -> (outputs: [String], digest: String)? {
    let slice = UnsafeMutableBufferPointer<Float>.allocate(capacity: source.columns * source.columns)
    defer { slice.deallocate() }
    var digest = SHA256()
    for index in 0..<source.count {
      source.copy(index, into: slice)
      digest.update(UnsafeRawBufferPointer(slice))
    }
    var outputs: [String] = []
    if let sample = configuration.tiff {
      guard let paths = try writeTIFFs(sample.pixels(range()), slice) else { return nil }
      outputs += paths
    }
    if let name = configuration.hdf5Name {
      guard let path = try whenThereIsRoom({ try writeHDF5(name, facts, slice) }) ?? nil else { return nil }
      outputs.append(path)
    }
    return (outputs, digest.hexDigest())
  }

  /// The least and the greatest voxel, in the unit of the output.
  func range() -> ClosedRange<Float> {
    let slice = UnsafeMutableBufferPointer<Float>.allocate(capacity: source.columns * source.columns)
    defer { slice.deallocate() }
    var (low, high) = (Float.infinity, -Float.infinity)
    for index in 0..<source.count {
      source.copy(index, into: slice)
      (low, high) = slice.reduce((low, high)) { (min($0.0, $1), max($0.1, $1)) }
    }
    return low * configuration.scale...high * configuration.scale
  }

  /// The file of slice `index`.
  func path(ofSlice index: Int) -> String {
    "\(configuration.folder)/\(configuration.tiffPrefix)_\(fiveDigits(configuration.firstSlice + index)).tiff"
  }

  /// What `write` gives, which leaves nothing of its file where it fails; nil where a stop was requested while there
  /// was no room.
  private func whenThereIsRoom<Result>(_ write: () throws -> Result) throws -> Result? {
    try room.map { try $0.write(write) } ?? write()
  }

  private func writeTIFFs(_ pixels: TIFFPixels, _ slice: UnsafeMutableBufferPointer<Float>) throws -> [String]? {
    var paths: [String] = []
    for index in 0..<source.count {
      if stopRequested() { return nil }
      load(index, into: slice)
      let path = path(ofSlice: index)
      let written: Void? = try whenThereIsRoom {
        try writeTIFF(
          path: path, columns: source.columns, rows: source.columns, values: UnsafeBufferPointer(slice),
          pixels: pixels,
          description: "slice \(configuration.firstSlice + index), \(configuration.quantity) in \(configuration.unit)")
      }
      guard written != nil else { return nil }
      paths.append(path)
      FaultPoint.exportHalf.reach()
    }
    return paths
  }

  private func writeHDF5(_ name: String, _ facts: [String: String], _ slice: UnsafeMutableBufferPointer<Float>) throws
    -> String?
  {
    let path = "\(configuration.folder)/\(name)"
    let attributes = configuration.attributes.merging(facts) { $1 }.merging(["units": configuration.unit]) { $1 }
    let writer = try VolumeHDF5Writer(path: path, slices: source.count, columns: source.columns, attributes: attributes)
    for index in 0..<source.count {
      if stopRequested() {
        writer.abandon()
        return nil
      }
      load(index, into: slice)
      try writer.write(slice: UnsafeBufferPointer(slice), at: index)
    }
    try writer.finish()
    return path
  }

  /// One slice in the unit of the output.
  func load(_ index: Int, into slice: UnsafeMutableBufferPointer<Float>) {
    source.copy(index, into: slice)
    if configuration.scale != 1 { for voxel in slice.indices { slice[voxel] *= configuration.scale } }
  }
}

extension ExportConfiguration.Sample {
  /// How ScanFiles calls it; integers cover `range`.
  func pixels(_ range: ClosedRange<Float>) -> TIFFPixels {
    switch self {
    case .float32: .float32
    case .uint16: .uint16(range: range)
    case .uint8: .uint8(range: range)
    }
  }
}

/// The number with leading zeros to five digits.
private func fiveDigits(_ number: Int) -> String {
  let digits = "\(number)"
  return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
}
