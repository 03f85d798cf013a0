import Glibc
package import Host

/// A finished volume in an OME-Zarr folder as `ZarrVolume` writes it, of both versions: boxes of its finest level. What
/// is in the folder is not trusted. Not to be used by several threads at once.
///
/// The folder is held open: where another one gets its name, chunks of the two are never mixed.
package final class ZarrReader: StoredVoxels {
  private let path: String
  private let folder: OpenFolder
  private let level: ZarrLevelDescription
  private let decompressor: Zstandard.Decompressor
  private var kept: [[Int]: [Float]] = [:]

  package let voxelSizeMillimetres: Double?
  package let unit: String?

  /// Voxels of chunks that were read last: the next slice is in the same ones.
  private static let keptBytesMax = 128 << 20

  /// Opens the folder and finds the finest level in it.
  /// - Throws: `.cannotOpen`, or `.badData` where it is no such volume.
  package init(path: String) throws(FileError) {
    folder = try OpenFolder(path)
    let group = try ZarrGroupDescription(folder)
    level = try ZarrLevelDescription(folder, group)
    (self.path, voxelSizeMillimetres, unit) = (path, group.voxelSizeMillimetres, group.unit)
    decompressor = Zstandard.Decompressor()
    // One that is cut short is told at once, as that of a file is.
    _ = try chunk(at: [0, 0, 0])
    _ = try chunk(at: zip(level.shape, level.chunk).map { ($0 - 1) / $1 })
  }

  package var slices: Int { level.shape[0] }
  package var columns: Int { level.shape[1] }
  /// Those of all chunks that one row of each slice is in.
  package var crossByteCount: Int {
    let (bytes, hasOverflown) = (level.chunk[1] * columns).multipliedReportingOverflow(by: slices * 4)
    return hasOverflown ? .max : bytes
  }

  package func read(start: [Int], count: [Int]) throws(FileError) -> [Float] {
    precondition(
      (0..<3).allSatisfy { start[$0] >= 0 && count[$0] > 0 && start[$0] + count[$0] <= level.shape[$0] },
      "\(count) at \(start) of \(level.shape)")
    var values = [Float](repeating: 0, count: count.reduce(1, *))
    func chunks(_ axis: Int) -> ClosedRange<Int> {
      start[axis] / level.chunk[axis]...(start[axis] + count[axis] - 1) / level.chunk[axis]
    }
    for z in chunks(0) {
      for y in chunks(1) {
        for x in chunks(2) {
          copy(try chunk(at: [z, y, x]), at: [z, y, x], into: &values, start, count)
        }
      }
    }
    return values
  }

  /// Copies what a chunk has of a box.
  private func copy(_ chunk: [Float], at place: [Int], into values: inout [Float], _ start: [Int], _ count: [Int]) {
    let edges = level.chunk, first = (0..<3).map { place[$0] * edges[$0] }
    let common = (0..<3).map { max(start[$0], first[$0])..<min(start[$0] + count[$0], first[$0] + edges[$0]) }
    let width = common[2].count
    // Sound: the box and the chunk have these voxels in common, so that lines of both end inside of them.
    chunk.withUnsafeBufferPointer { chunk in
      values.withUnsafeMutableBufferPointer { values in
        for z in common[0] {
          for y in common[1] {
            let source = ((z - first[0]) * edges[1] + y - first[1]) * edges[2] + common[2].lowerBound - first[2]
            let target = ((z - start[0]) * count[1] + y - start[1]) * count[2] + common[2].lowerBound - start[2]
            let line = UnsafeMutableBufferPointer(rebasing: values[target..<target + width])
            _ = line.update(fromContentsOf: chunk[source..<source + width])
          }
        }
      }
    }
  }

  /// The voxels of the chunk with these numbers along z, y and x.
  private func chunk(at place: [Int]) throws(FileError) -> [Float] {
    if let known = kept[place] { return known }
    let name = level.chunkPath(place[0], place[1], place[2])
    let frame = try folder.read(name, byteCountMax: level.frameByteCountMax)
    guard let values = decompressor.floats(frame, count: level.chunkVoxels) else {
      throw .badData(path: "\(path)/\(name)", reason: "it is cut short or damaged; export the volume again")
    }
    let keptMax = max(1, Self.keptBytesMax / (level.chunkVoxels * MemoryLayout<Float>.stride))
    if kept.count >= keptMax { kept.removeAll(keepingCapacity: true) }
    kept[place] = values
    return values
  }
}

/// A folder that is held open, and files in it.
struct OpenFolder: ~Copyable {
  let path: String
  private let descriptor: Int32

  init(_ path: String) throws(FileError) {
    descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .cannotOpen(path: path, reason: errnoText(errno)) }
    self.path = path
  }

  deinit { close(descriptor) }

  func has(_ name: String) -> Bool { faccessat(descriptor, name, F_OK, 0) == 0 }

  /// All bytes of a file.
  /// - Throws: `.badData` where it is not there, cannot be read, or is larger than it may be.
  func read(_ name: String, byteCountMax: Int) throws(FileError) -> [UInt8] {
    func bad(_ reason: String) -> FileError { .badData(path: "\(path)/\(name)", reason: reason) }
    let file = openat(descriptor, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { throw bad(errnoText(errno)) }
    defer { close(file) }
    var failure: Int32 = 0
    // One byte more than there may be. Pages of it that nothing is read into take no memory.
    let bytes = [UInt8](unsafeUninitializedCapacity: byteCountMax + 1) { buffer, count in
      while count < buffer.count {
        let taken = Glibc.read(file, buffer.baseAddress! + count, buffer.count - count)
        if taken < 0, errno == EINTR { continue }
        if taken < 0 { failure = errno }
        guard taken > 0 else { return }
        count += taken
      }
    }
    guard failure == 0 else { throw bad(errnoText(failure)) }
    guard bytes.count <= byteCountMax else { throw bad("it has more than \(byteCountMax) B, which cannot be right") }
    return bytes
  }
}
