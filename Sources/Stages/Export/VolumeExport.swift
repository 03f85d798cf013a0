import Glibc
import Host
import RunModel
import ScanFiles

/// Writes the files of a finished volume. Every file is complete under its name or not there.
///
/// A group of slices is taken out of the interleaved memory once, and serves checksum, HDF5 and TIFF; integers, which
/// cover the range of the whole volume, take a second turn.
struct VolumeExport {
  let configuration: ExportConfiguration
  let source: any SliceSource
  /// How well each slice fits; none where that is not known.
  var fits: [RowFit] = []
  /// How the files wait for room on a full disk; nil where that is an error.
  let room: RoomWait?
  let stopRequested: () -> Bool

  /// The paths of all files, and the volume's checksum.
  typealias Written = (outputs: [String], digest: String)

  /// Writes everything, `facts` about the run with it; nil where a stop was requested in between. Where the disk was
  /// full everything is written once more, when there is room for what is not there yet.
  func write(_ facts: [String: String]) throws -> Written? {
    guard let room else { return try writeOnce(facts) }
    var wasFull = false
    return try room.write { () throws -> Written? in
      guard !wasFull || Machine.hasRoom(for: missingByteCount, in: configuration.folder) else {
        throw FileError.writing(configuration.folder, ENOSPC)
      }
      wasFull = true
      return try writeOnce(facts)
    } ?? nil
  }

  /// Bytes of the files that are not there.
  private var missingByteCount: Int {
    let slice = source.columns * source.columns * MemoryLayout<Float>.stride
    let names = configuration.ownNames(slices: source.count)
    let missing = names.filter { access("\(configuration.folder)/\($0)", F_OK) != 0 }
    return missing.reduce(0) { $0 + ($1 == configuration.hdf5Name ? source.count * slice : slice) }
  }

  private func writeOnce(_ facts: [String: String]) throws -> Written? {
    let volume = try configuration.hdf5Name.map { try makeHDF5($0, facts) }
    let tiffs = AtomicFileGroup()
    var digest = SHA256()
    var (low, high) = (Float.infinity, -Float.infinity)
    let isWhole = try forEachGroup { group, voxels in
      // One behind the other, as they lie there.
      digest.update(UnsafeRawBufferPointer(voxels))
      if let tiff = configuration.tiff, tiff != .float32 { (low, high) = Self.widen((low, high), by: voxels) }
      scale(voxels)
      for (slice, index) in group.enumerated() {
        if stopRequested() { return false }
        try volume?.write(slice: UnsafeBufferPointer(slices(voxels, slice)), at: index)
        if configuration.tiff == .float32 { try writeTIFF(index, slices(voxels, slice), .float32, in: tiffs) }
      }
      return true
    }
    let pixels = configuration.tiff?.pixels { low * configuration.scale...high * configuration.scale }
    guard isWhole, try pixels.map({ try $0 == .float32 || writeTIFFs($0, in: tiffs) }) ?? true else {
      volume?.abandon()
      return nil
    }
    try tiffs.commit()
    try volume?.finish()
    return (configuration.ownNames(slices: source.count).map { "\(configuration.folder)/\($0)" }, digest.hexDigest())
  }

  /// The least and the greatest voxel, in the unit of the output.
  func range() throws -> ClosedRange<Float> {
    var (low, high) = (Float.infinity, -Float.infinity)
    _ = try forEachGroup { _, voxels in
      (low, high) = Self.widen((low, high), by: voxels)
      return true
    }
    return low * configuration.scale...high * configuration.scale
  }

  /// What is no number, in rows that are missing, widens nothing.
  private static func widen(_ range: (low: Float, high: Float), by voxels: UnsafeMutableBufferPointer<Float>)
    -> (low: Float, high: Float)
  {
    voxels.reduce(range) { ($1 < $0.low ? $1 : $0.low, $1 > $0.high ? $1 : $0.high) }
  }

  /// Hands out the slices in groups, each in turn in the same memory, until `body` says false; whether it never did.
  func forEachGroup(_ body: (_ group: Range<Int>, _ voxels: UnsafeMutableBufferPointer<Float>) throws -> Bool) throws
    -> Bool
  {
    let memory = UnsafeMutableBufferPointer<Float>.allocate(capacity: source.groupVoxelsMax)
    defer { memory.deallocate() }
    for group in source.groups {
      let voxels = UnsafeMutableBufferPointer(rebasing: memory[..<(group.count * source.columns * source.columns)])
      source.copy(group, into: voxels)
      guard try body(group, voxels) else { return false }
    }
    return true
  }

  /// Slice `index` of a group.
  func slices(_ voxels: UnsafeMutableBufferPointer<Float>, _ index: Int) -> UnsafeMutableBufferPointer<Float> {
    let count = source.columns * source.columns
    return UnsafeMutableBufferPointer(rebasing: voxels[index * count..<(index + 1) * count])
  }

  /// Into the unit of the output.
  func scale(_ voxels: UnsafeMutableBufferPointer<Float>) {
    guard configuration.scale != 1 else { return }
    for voxel in voxels.indices { voxels[voxel] *= configuration.scale }
  }

  /// The file of slice `index`.
  func path(ofSlice index: Int) -> String { "\(configuration.folder)/\(configuration.tiffName(ofSlice: index))" }

  /// False where a stop was requested.
  private func writeTIFFs(_ pixels: TIFFPixels, in group: AtomicFileGroup) throws -> Bool {
    try forEachGroup { slices, voxels in
      scale(voxels)
      for (slice, index) in slices.enumerated() {
        if stopRequested() { return false }
        try writeTIFF(index, self.slices(voxels, slice), pixels, in: group)
      }
      return true
    }
  }

  private func writeTIFF(
    _ index: Int, _ slice: UnsafeMutableBufferPointer<Float>, _ pixels: TIFFPixels, in group: AtomicFileGroup
  ) throws {
    try ScanFiles.writeTIFF(
      path: path(ofSlice: index), columns: source.columns, rows: source.columns, values: UnsafeBufferPointer(slice),
      pixels: pixels,
      description: "slice \(configuration.firstSlice + index), \(configuration.quantity) in \(configuration.unit)"
        + (fits.isEmpty ? "" : configuration.words(fits[index])),
      in: group)
    FaultPoint.exportHalf.reach()
  }

  private func makeHDF5(_ name: String, _ facts: [String: String]) throws -> VolumeHDF5Writer {
    let attributes = configuration.attributes.merging(facts) { $1 }.merging(["units": configuration.unit]) { $1 }
    return try VolumeHDF5Writer(
      path: "\(configuration.folder)/\(name)", slices: source.count, columns: source.columns, attributes: attributes)
  }
}

extension ExportConfiguration.Sample {
  /// How ScanFiles calls it; integers cover the volume's range, which nobody else needs.
  func pixels(_ range: () throws -> ClosedRange<Float>) rethrows -> TIFFPixels {
    switch self {
    case .float32: .float32
    case .uint16: .uint16(range: try range())
    case .uint8: .uint8(range: try range())
    }
  }
}
