import Glibc
package import Host

/// A volume as OME-Zarr (ngff.openmicroscopy.org): its levels, each the block means of the one before, in compressed
/// chunks. Slices come from top to bottom. Not to be used by several threads at once.
package final class ZarrVolume {
  /// What becomes of the chunks.
  private enum Purpose {
    /// They are written to a folder that gets its name when it is complete.
    case write(ZarrFolder)
    /// They are compared with those of a folder.
    case check
  }

  private let path: String
  private let layout: ZarrLevels
  private let metadata: ZarrMetadata
  private let purpose: Purpose
  private let compressor: Zstandard
  private var pyramid: ZarrPyramid
  private var chunk: [Float]
  private var count = 0

  /// Voxels of a chunk along y and x: 4 MiB with 16 slices.
  private static let edge = 256

  /// Begins to write, or takes over what a process that was killed has left of the same volume.
  /// - Parameters:
  ///   - columns: of a slice, which has as many rows.
  ///   - depth: slices of a chunk; so many of each level are in memory.
  ///   - attributes: facts about the run.
  /// - Throws: `.cannotCreate`, `.full` or `.io`.
  package convenience init(
    path: String, slices: Int, columns: Int, depth: Int, edge: Int = edge, version: OMEZarrVersion,
    attributes: [String: String] = [:], about: VolumeDescription = VolumeDescription()
  ) throws(FileError) {
    let layout = ZarrLevels(slices: slices, columns: columns, depth: depth, edge: edge)
    let metadata = ZarrMetadata(layout: layout, version: version, about: about, attributes: attributes)
    let words =
      "\(slices) × \(columns)², chunks \(layout.depth) × \(layout.edge)², OME-Zarr \(version.rawValue), "
      + "zstd \(Zstandard.version) at \(Zstandard.level)"
    self.init(path, metadata, .write(try ZarrFolder(path: path, layout: words)))
  }

  /// Compares a volume that was written with the slices that come; the other values are those of writing it.
  package convenience init(
    checking path: String, slices: Int, columns: Int, depth: Int, edge: Int = edge, version: OMEZarrVersion
  ) {
    let layout = ZarrLevels(slices: slices, columns: columns, depth: depth, edge: edge)
    let about = VolumeDescription()
    self.init(path, ZarrMetadata(layout: layout, version: version, about: about, attributes: [:]), .check)
  }

  private init(_ path: String, _ metadata: ZarrMetadata, _ purpose: Purpose) {
    (self.path, layout, self.metadata, self.purpose) = (path, metadata.layout, metadata, purpose)
    pyramid = ZarrPyramid(layout)
    chunk = Array(repeating: 0, count: layout.chunkVoxels)
    compressor = Zstandard(byteCountMax: layout.chunkVoxels * MemoryLayout<Float>.stride)
  }

  /// Takes the next slice of columns × columns values, row 0 on top.
  /// - Throws: `.full` or `.io`; of a comparison `.badData` where a chunk is not what was written.
  package func add(slice: UnsafeBufferPointer<Float>) throws(FileError) {
    try pyramid.add(slice) { level, number, slab throws(FileError) in try take(slab, level, number) }
    count += 1
  }

  /// Gives the volume its name. Every slice has to be there by then.
  /// - Throws: `.full` or `.io`.
  package func finish() throws(FileError) {
    precondition(count == layout.levels[0].slices, "\(count) of \(layout.levels[0].slices) slices of \(path)")
    guard case .write(let folder) = purpose else { return }
    try folder.finish(metadata.files)
  }

  /// Removes what was written. Without it, and without `finish`, the next one goes on from there.
  package func abandon() {
    if case .write(let folder) = purpose { folder.abandon() }
  }

  /// Bytes of the memory that this takes.
  package static func byteCount(slices: Int, columns: Int, depth: Int) -> Int {
    let layout = ZarrLevels(slices: slices, columns: columns, depth: depth, edge: edge)
    let slabs = layout.levels.reduce(0) { $0 + (layout.depth + 1) * $1.columns * $1.columns }
    return (slabs + 2 * layout.chunkVoxels) * MemoryLayout<Float>.stride
  }

  /// Takes a slab of a level.
  private func take(_ slab: UnsafeBufferPointer<Float>, _ level: Int, _ number: Int) throws(FileError) {
    let width = layout.chunks(level)
    let paths = (0..<width * width).map { metadata.chunkPath(level: level, number, $0 / width, $0 % width) }
    switch purpose {
    case .check:
      for (index, name) in paths.enumerated() { try check("\(path)/\(name)", frame(index, of: slab, level)) }
    case .write(let folder):
      var sum = SHA256()
      sum.update(UnsafeRawBufferPointer(slab))
      let digest = sum.hexDigest(), name = "\(level)-\(number)"
      if folder.has(name, digest: digest) { return }
      try folder.write(name, digest: digest, chunks: paths) { frame($0, of: slab, level) }
    }
  }

  /// A compressed chunk of a slab; what is outside of the volume is zero.
  private func frame(_ index: Int, of slab: UnsafeBufferPointer<Float>, _ level: Int) -> UnsafeRawBufferPointer {
    let (edge, columns) = (layout.edge, layout.levels[level].columns)
    let (top, left) = (index / layout.chunks(level) * edge, index % layout.chunks(level) * edge)
    let width = min(edge, columns - left)
    return chunk.withUnsafeMutableBufferPointer { chunk in
      chunk.update(repeating: 0)
      for slice in 0..<slab.count / (columns * columns) {
        for row in 0..<min(edge, columns - top) {
          let source = slab.baseAddress! + (slice * columns + top + row) * columns + left
          (chunk.baseAddress! + (slice * edge + row) * edge).update(from: source, count: width)
        }
      }
      return compressor.compress(UnsafeRawBufferPointer(chunk))
    }
  }

  private func check(_ path: String, _ expected: UnsafeRawBufferPointer) throws(FileError) {
    let descriptor = try openUncached(path)
    defer { close(descriptor) }
    // One byte more than there may be.
    let found = UnsafeMutableRawBufferPointer.allocate(byteCount: expected.count + 1, alignment: 16)
    defer { found.deallocate() }
    var count = 0
    while count < found.count {
      let read = Glibc.read(descriptor, found.baseAddress! + count, found.count - count)
      if read < 0, errno == EINTR { continue }
      guard read >= 0 else { throw .badData(path: path, reason: errnoText(errno)) }
      if read == 0 { break }
      count += read
    }
    guard count == expected.count, memcmp(found.baseAddress!, expected.baseAddress!, count) == 0 else {
      throw .badData(path: path, reason: "it is not what was written; look at the disk")
    }
  }
}
