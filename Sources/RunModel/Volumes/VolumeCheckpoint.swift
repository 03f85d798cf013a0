import CLinux
import Glibc
package import Host
package import KernelTypes
package import Rings

/// A generation of a worker's volume on disk: what a restart of the machine leaves.
///
/// ```
/// header page
///    0  magic u32 "SLPK", layout u32      8  runID 16 B       24  partition u32, rows u32
///   32  columns u32, lanes u32          40  volume bytes u64
///   48  update that made the generation (112 B, see UpdateEvent: generation, cursor)
///  160  CRC32C of bytes 0–159
/// 4096  the volume, in the solver's layout: that of binned projections where the update says so (`VolumeRegion`)
///  end  CRC32C of the volume u32, magic u32
/// ```
///
/// Written under a temporary name, made durable, renamed: a file with the right name is whole, and its checksums say
/// whether it still is.
package struct VolumeCheckpoint: Sendable {
  private let folder: String
  private let runID: RunID
  private let partition: Int
  private let layout: SliceLayout
  private let live: LiveLayout?
  private let coarse: LiveLayout?

  private static let magic: UInt32 = 0x4B50_4C53
  private static let layoutVersion: UInt32 = 3
  private static let headerByteCount = 4096
  private static let trailerByteCount = 8
  private static let pieceByteCount = 4 << 20
  /// The newest ones are kept: should one be damaged, there is another.
  private static let keptCount = 2

  /// Checkpoints of worker `partition` in an existing folder.
  package init(
    folder: String, runID: RunID, partition: Int, layout: SliceLayout, live: LiveLayout? = nil,
    coarse: LiveLayout? = nil
  ) {
    self.folder = folder
    self.runID = runID
    self.partition = partition
    self.layout = layout
    (self.live, self.coarse) = (live, coarse)
  }

  /// How the generation that `update` made lies in memory.
  private func layout(of update: UpdateEvent) -> SliceLayout { live(of: update)?.layout ?? layout }

  /// The same where it is of binned projections; nil for one of all. Throws away what a run without a coarse grid says
  /// of one: the sizes in the header are other ones then.
  private func live(of update: UpdateEvent) -> LiveLayout? {
    switch update.volume {
    case .finished: nil
    case .window: live
    case .coarse: coarse ?? live
    }
  }

  /// The slices of what was read to `base`, which `update` made, in the shape of the finished volume.
  package func slices(_ base: UnsafeRawPointer, of update: UpdateEvent) -> GenerationSlices {
    GenerationSlices(layout: layout, live: live(of: update), base: base)
  }

  /// Writes the generation at `base` that `update` made, and removes all but the newest two. False, and nothing is
  /// written, where the generation turns out not to be whole, which is asked once all of it was read. Throws `.full`
  /// before anything is written where the disk has no room for it: what is left of it is for the journal.
  @discardableResult
  package func write(
    _ base: UnsafeRawPointer, update: UpdateEvent, isWhole: () -> Bool = { true }
  ) throws(FileError) -> Bool {
    let layout = layout(of: update)
    guard Machine.hasRoom(for: layout.volumeByteCount + 2 * Self.headerByteCount, in: folder) else {
      throw .writing("\(folder)/\(name(update.generation))", ENOSPC)
    }
    let file = try AtomicFile(path: "\(folder)/\(name(update.generation))", isPrivate: true)
    let page = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.headerByteCount, alignment: 4096)
    defer { page.deallocate() }
    encodeHeader(update, into: page)
    try file.write(UnsafeRawBufferPointer(page))
    var crc: UInt32 = 0
    for offset in stride(from: 0, to: layout.volumeByteCount, by: Self.pieceByteCount) {
      let piece = UnsafeRawBufferPointer(
        start: base + offset, count: min(Self.pieceByteCount, layout.volumeByteCount - offset))
      crc = clinux_crc32c(crc, piece.baseAddress, piece.count)
      try file.write(piece)
    }
    page.store(crc, at: 0)
    page.store(Self.magic, at: 4)
    try file.write(UnsafeRawBufferPointer(rebasing: page[..<Self.trailerByteCount]))
    guard isWhole() else {
      file.abandon()
      return false
    }
    try file.commit()
    for old in try generations().dropLast(Self.keptCount) {
      guard unlink("\(folder)/\(name(old))") == 0 || errno == ENOENT else {
        throw .io(path: "\(folder)/\(name(old))", reason: String(cString: strerror(errno)))
      }
    }
    return true
  }

  /// Reads the newest checkpoint that is whole into `target`; nil where there is none, and then what is there means
  /// nothing. A damaged one is passed over,
  /// which costs time and no bits: the journal repeats what it held. Throws `.badData` for one of another version,
  /// which is not damaged.
  package func readNewest(into target: UnsafeMutableRawPointer) throws(FileError) -> UpdateEvent? {
    for generation in try generations().reversed() {
      if let update = try read(generation, into: target) { return update }
    }
    return nil
  }

  /// The update of the newest checkpoint whose header is whole, whatever became of its volume; nil where there is none.
  package func newestUpdate() throws(FileError) -> UpdateEvent? {
    let page = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.headerByteCount, alignment: 4096)
    defer { page.deallocate() }
    for generation in try generations().reversed() {
      let descriptor = open("\(folder)/\(name(generation))", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
      guard descriptor >= 0 else { continue }
      defer { close(descriptor) }
      if fill(page, from: descriptor), let update = decodeHeader(UnsafeRawBufferPointer(page)) { return update }
    }
    return nil
  }

  private func read(_ generation: UInt64, into target: UnsafeMutableRawPointer) throws(FileError) -> UpdateEvent? {
    let path = "\(folder)/\(name(generation))"
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    let page = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.headerByteCount, alignment: 4096)
    defer { page.deallocate() }
    guard fill(page, from: descriptor) else { return nil }
    if let version = otherVersion(UnsafeRawBufferPointer(page)) {
      throw .badData(
        path: path,
        reason: "it was written by another version (layout \(version)); this one reads \(Self.layoutVersion)")
    }
    guard let update = decodeHeader(UnsafeRawBufferPointer(page)), update.generation == generation else { return nil }
    let layout = layout(of: update)
    guard fill(UnsafeMutableRawBufferPointer(start: target, count: layout.volumeByteCount), from: descriptor),
      fill(UnsafeMutableRawBufferPointer(rebasing: page[..<Self.trailerByteCount]), from: descriptor),
      page.load(as: UInt32.self) == clinux_crc32c(0, target, layout.volumeByteCount),
      page.load(fromByteOffset: 4, as: UInt32.self) == Self.magic
    else { return nil }
    return update
  }

  private func fill(_ buffer: UnsafeMutableRawBufferPointer, from descriptor: Int32) -> Bool {
    var done = 0
    while done < buffer.count {
      let count = Glibc.read(descriptor, buffer.baseAddress! + done, buffer.count - done)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      done += count
    }
    return true
  }

  private static let updateOffset = 48
  private static let checkedByteCount = updateOffset + UpdateEvent.byteCount

  private func encodeHeader(_ update: UpdateEvent, into page: UnsafeMutableRawBufferPointer) {
    precondition(page.count == Self.headerByteCount, "a header page of \(page.count) B")
    let layout = layout(of: update)
    page.initializeMemory(as: UInt8.self, repeating: 0)
    page.store(Self.magic, at: 0)
    page.store(Self.layoutVersion, at: 4)
    page.store(runID.low, at: 8)
    page.store(runID.high, at: 16)
    page.store(UInt32(partition), at: 24)
    page.store(UInt32(layout.rows), at: 28)
    page.store(UInt32(layout.columns), at: 32)
    page.store(UInt32(layout.lanes), at: 36)
    page.store(UInt64(layout.volumeByteCount), at: 40)
    _ = update.encode(into: UnsafeMutableRawBufferPointer(rebasing: page[Self.updateOffset..<Self.checkedByteCount]))
    page.store(clinux_crc32c(0, page.baseAddress, Self.checkedByteCount), at: Self.checkedByteCount)
  }

  /// The layout of a whole header of another version.
  private func otherVersion(_ page: UnsafeRawBufferPointer) -> UInt32? {
    let version = page.load(fromByteOffset: 4, as: UInt32.self)
    let isWhole =
      page.load(as: UInt32.self) == Self.magic
      && page.load(fromByteOffset: Self.checkedByteCount, as: UInt32.self)
        == clinux_crc32c(0, page.baseAddress, Self.checkedByteCount)
    return isWhole && version != Self.layoutVersion ? version : nil
  }

  /// The update in a header that is this run's, partition's and layout's, byte for byte; nil otherwise.
  private func decodeHeader(_ page: UnsafeRawBufferPointer) -> UpdateEvent? {
    let body = UnsafeRawBufferPointer(rebasing: page[Self.updateOffset..<Self.checkedByteCount])
    guard let update = try? UpdateEvent(decoding: body) else { return nil }
    return withUnsafeTemporaryAllocation(byteCount: Self.headerByteCount, alignment: 8) { expected in
      encodeHeader(update, into: expected)
      return memcmp(expected.baseAddress!, page.baseAddress!, Self.headerByteCount) == 0 ? update : nil
    }
  }

  private var prefix: String { "volume.\(partition)." }

  private func name(_ generation: UInt64) -> String { "\(prefix)\(generation).checkpoint" }

  /// The generations that have a file, the oldest first.
  private func generations() throws(FileError) -> [UInt64] {
    let names: [String]
    do throws(HostError) {
      names = try Folder(folder).names()
    } catch {
      throw .io(path: folder, reason: errnoText(error))
    }
    return names.filter { $0.hasPrefix(prefix) && $0.hasSuffix(".checkpoint") }
      .compactMap { UInt64($0.dropFirst(prefix.count).dropLast(".checkpoint".count)) }.sorted()
  }
}
