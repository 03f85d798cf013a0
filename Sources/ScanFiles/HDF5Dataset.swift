import CHDF5
import Host

/// A numeric dataset, read by hyperslabs.
final class HDF5Dataset {
  let file: HDF5File
  let name: String
  /// The extents, slowest first; empty for a scalar.
  let shape: [Int]
  /// The type in which it is read.
  let pixel: PixelType
  /// A sentence for the user when reading will be slow.
  let notice: String?

  /// Frames along the first axis that a virtual dataset does not have, because its sources are too short.
  let missing: Set<Int>
  /// What of its sources is too short, in words.
  let shortages: [String]
  /// Whether somebody is writing a file behind it.
  let hasGrowingSource: Bool

  /// Steps along the first axis that share a chunk; 0 where there are no chunks.
  let chunkDepth: Int
  /// Whether its values lie in other datasets.
  let isVirtual: Bool

  private let handle: HDF5Handle
  private let space: HDF5Handle

  static let rankMax = 32
  private static let cacheBytesMax = 256 << 20
  private static let cacheBytesUsual = 1 << 20

  /// Opens the dataset and checks that it can be read: its type is a number, its filters are installed, its virtual
  /// sources exist.
  init(_ file: HDF5File, _ name: String, depth: Int = 0) throws(FileError) {
    self.file = file
    self.name = name
    let layer: (depth: Int, chunkCount: Int, byteCount: Int)
    do {
      let inspected = try file.openObject(name)
      let storage = try HDF5Storage(file: file, name: name, dataset: inspected)
      shape = try storage.shape()
      pixel = try storage.pixel()
      try storage.checkFilters()
      let sources = try storage.checkVirtualSources(depth: depth, shape: shape)
      (missing, shortages, hasGrowingSource) = (sources.missing, sources.shortages, sources.isGrowing)
      (layer, isVirtual) = (try storage.layer(shape: shape), try storage.isVirtual())
    }
    chunkDepth = layer.chunkCount > 0 ? layer.depth : 0
    // Opened again, because a dataset takes its chunk cache from the property list that it was first opened with.
    let access = try file.handle(name) { H5Pcreate(chdf5_dataset_access()) }
    if layer.byteCount > Self.cacheBytesUsual, layer.byteCount <= Self.cacheBytesMax {
      // An odd number of slots, two for each chunk, keeps chunks from pushing one another out.
      _ = try file.check(name) { H5Pset_chunk_cache(access.id, 2 * layer.chunkCount + 521, layer.byteCount, -1) }
    }
    handle = try file.openObject(name, access: access.id)
    let id = handle.id
    space = try file.handle(name) { H5Dget_space(id) }
    notice =
      layer.byteCount > Self.cacheBytesMax && layer.depth > 1
      ? "\(name) is stored in chunks across many projections that do not fit into memory together: reading is slow; "
        + "h5repack can mend it"
      : nil
  }

  /// Whether anything was ever written to frame `index`, to its first chunk and to its last; true where nobody can
  /// know. A dataset may have been made for all frames that were to come.
  func isWritten(_ index: Int) throws(FileError) -> Bool {
    guard chunkDepth > 0 else { return true }
    let first = shape.indices.map { $0 == 0 ? index : 0 }
    let last = shape.indices.map { $0 == 0 ? index : shape[$0] - 1 }
    guard try isChunkWritten(at: first) else { return false }
    return try isChunkWritten(at: last)
  }

  /// Whether anything was ever written to the chunk that an element lies in.
  func isChunkWritten(at place: [Int]) throws(FileError) -> Bool {
    var (mask, address, size) = (UInt32(0), haddr_t(0), hsize_t(0))
    _ = try file.check(name) {
      H5Dget_chunk_info_by_coord(handle.id, place.map(hsize_t.init), &mask, &address, &size)
    }
    return address != haddr_t.max
  }

  /// Chunks that were written.
  func writtenChunkCount() throws(FileError) -> Int {
    var count: hsize_t = 0
    _ = try file.check(name) { H5Dget_num_chunks(handle.id, space.id, &count) }
    return Int(clamping: count)
  }

  /// The shape of a chunk; nil where there are none.
  func chunkShape() throws(FileError) -> [Int]? {
    guard chunkDepth > 0 else { return nil }
    let creation = try file.handle(name) { H5Dget_create_plist(handle.id) }
    var chunk = [hsize_t](repeating: 1, count: Self.rankMax)
    _ = try file.check(name) { H5Pget_chunk(creation.id, Int32(Self.rankMax), &chunk) }
    return chunk.prefix(shape.count).map { max(1, Int(clamping: $0)) }
  }

  /// What the first axis may grow to; nil where that has no limit.
  func lengthMax() throws(FileError) -> Int? {
    guard !shape.isEmpty else { return 1 }
    var extents = [hsize_t](repeating: 0, count: Self.rankMax), limits = extents
    _ = try file.check(name) { H5Sget_simple_extent_dims(space.id, &extents, &limits) }
    // H5S_UNLIMITED, all bits.
    return limits[0] == .max ? nil : Int(clamping: limits[0])
  }

  /// The extents as in "181 × 2 × 640".
  var shapeText: String { shape.isEmpty ? "scalar" : shape.map(String.init).joined(separator: " × ") }

  /// Reads the box of `count` elements from `start` on, converted to `pixel`, tightly packed, slowest extent first.
  func read(start: [Int], count: [Int], into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    let elements = count.reduce(1, *)
    precondition(
      buffer.count == elements * pixel.byteCount, "\(name): a buffer of \(buffer.count) B for \(elements) elements")
    try read(start: start, count: count, into: buffer, as: pixel)
  }

  /// Reads the box converted to floats.
  func read(start: [Int], count: [Int], into buffer: UnsafeMutableBufferPointer<Float>) throws(FileError) {
    precondition(
      buffer.count == count.reduce(1, *), "\(name): a buffer of \(buffer.count) floats for a box of \(count)")
    try read(start: start, count: count, into: UnsafeMutableRawBufferPointer(buffer), as: .float32)
  }

  /// Reads every element as a double, in storage order.
  func readAll() throws(FileError) -> [Double] {
    var numbers = [Double](repeating: 0, count: shape.reduce(1, *))
    if !numbers.isEmpty { _ = try file.check(name) { H5Dread(handle.id, chdf5_native_double(), 0, 0, 0, &numbers) } }
    return numbers
  }

  private func read(
    start: [Int], count: [Int], into buffer: UnsafeMutableRawBufferPointer, as pixel: PixelType
  ) throws(FileError) {
    precondition(
      start.count == shape.count && count.count == shape.count,
      "\(name): a box of rank \(start.count) in rank \(shape.count)")
    for axis in shape.indices {
      precondition(
        start[axis] >= 0 && count[axis] >= 0 && start[axis] + count[axis] <= shape[axis],
        "\(name): a box outside \(shapeText)")
    }
    guard !buffer.isEmpty else { return }
    let (offsets, extents) = (start.map(hsize_t.init), count.map(hsize_t.init))
    _ = try file.check(name) { H5Sselect_hyperslab(space.id, H5S_SELECT_SET, offsets, nil, extents, nil) }
    // Of the same rank as the file's: of another one, chunks are matched element by element, which is far slower.
    let memory = try file.handle(name) { H5Screate_simple(Int32(extents.count), extents, nil) }
    _ = try file.check(name) { H5Dread(handle.id, pixel.memoryType, memory.id, space.id, 0, buffer.baseAddress) }
  }
}

extension PixelType {
  /// The type's identifier in this machine's byte order. Only inside `HDF5.call`.
  fileprivate var memoryType: hid_t {
    switch self {
    case .uint8: chdf5_native_uint8()
    case .uint16: chdf5_native_uint16()
    case .uint32: chdf5_native_uint32()
    case .float32: chdf5_native_float()
    }
  }
}
