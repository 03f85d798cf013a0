package import Host

/// The segments that can be made from shards, as a folder that is read: who mends a journal, or reads one whose own
/// copy is damaged, takes it for a second copy. Nothing is written.
final class ShardDevice: JournalDevice {
  private enum Opened {
    case page(AlignedMemory)
    case segment(ShardReading)
  }

  let folder: String
  let mechanism = "shards"
  private let folders: ShardFolders
  private var catalog: ShardCatalog?
  private var files: [Int32: Opened] = [:]
  private var filesOpened: Int32 = 0

  init(_ folders: ShardFolders, named folder: String) { (self.folders, self.folder) = (folders, folder) }

  private var found: ShardCatalog {
    if let catalog { return catalog }
    let catalog = folders.look()
    self.catalog = catalog
    return catalog
  }

  /// The segments that there are enough shards of, and the journal's pages.
  func names() throws(HostError) -> [String] {
    catalog = nil
    let pages = found.names.joined().filter { Self.pageKind($0) != nil }
    return Set(pages + found.sets.keys.filter { found.best($0) != nil }).sorted()
  }

  static func pageKind(_ name: String) -> ControlPage.PageKind? {
    switch FileName(name) {
    case .loss: .loss
    case .retired: .retired
    case .through: .through
    case .segment, .alone, .mending, .unfinished, .foreign: nil
    }
  }

  func lockFolder(wait: Duration) throws(HostError) -> Bool { true }
  func unlockFolder() {}
  func lock(_ file: JournalFile, wait: Duration) throws(HostError) -> Bool { true }

  func open(_ name: String, forWriting: Bool) throws(HostError) -> JournalFile {
    let opened: Opened? =
      if let kind = Self.pageKind(name) {
        page(name, kind).map { .page($0) }
      } else {
        found.best(name).map { .segment(ShardReading($0, folders)) }
      }
    guard let opened else {
      throw .system(call: "openat", subject: "\(folder), \(name)", errno: Errno(rawValue: Self.noEntry))
    }
    filesOpened += 1
    files[filesOpened] = opened
    return JournalFile(id: filesOpened)
  }

  /// The newest whole page of this name that a folder has.
  private func page(_ name: String, _ kind: ControlPage.PageKind) -> AlignedMemory? {
    var best: (page: ControlPage, memory: AlignedMemory)?
    for place in folders.places.indices where found.names[place].contains(name) {
      guard let device = folders.device(place) else { continue }
      let memory = AlignedMemory(byteCount: ControlPage.byteCount)
      do throws(HostError) {
        let file = try device.open(name, forWriting: false)
        defer { device.close(file) }
        guard try device.read(file, into: memory.bytes, at: 0) == ControlPage.byteCount else { continue }
      } catch { continue }
      guard let page = ControlPage(UnsafeRawBufferPointer(memory.bytes)), page.kind == kind,
        page.identity == folders.identity, page.stride == folders.stride
      else { continue }
      if best.map({ ($0.page.first, $0.page.durableThrough) < (page.first, page.durableThrough) }) ?? true {
        best = (page, memory)
      }
    }
    return best?.memory
  }

  private func opened(_ file: JournalFile) -> Opened {
    guard let opened = files[file.id] else { preconditionFailure("file \(file.id) is not open in \(folder)") }
    return opened
  }

  func close(_ file: JournalFile) { files[file.id] = nil }

  func byteCount(of file: JournalFile) throws(HostError) -> Int {
    switch opened(file) {
    case .page: ControlPage.byteCount
    case .segment(let reading): reading.set.common.segmentByteCount
    }
  }

  func read(_ file: JournalFile, into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(HostError) -> Int {
    switch opened(file) {
    case .segment(let reading): return try reading.read(into: bytes, at: offset)
    case .page(let memory):
      let count = max(0, min(bytes.count, memory.bytes.count - offset))
      guard count > 0 else { return 0 }
      bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory.bytes[offset..<offset + count]))
      return count
    }
  }

  /// Nothing is in flight.
  func sync(_ file: JournalFile) throws(HostError) {}
  func syncFolder() throws(HostError) {}
  func register(_ memory: UnsafeRawBufferPointer) -> Bool { false }
  func reap(wait: Duration) throws(HostError) -> Int { 0 }

  func create(_ name: String, byteCount: Int) throws(HostError) -> JournalFile { throw readOnly("openat") }
  func write(_ file: JournalFile, _ bytes: UnsafeRawBufferPointer, at offset: Int) throws(HostError) {
    throw readOnly("pwrite")
  }
  func rename(_ name: String, to newName: String) throws(HostError) { throw readOnly("renameat") }
  func unlink(_ name: String) throws(HostError) { throw readOnly("unlinkat") }
  func submit(_ batch: WriteBatch) throws(HostError) { throw readOnly("pwrite") }

  private func readOnly(_ call: String) -> HostError {
    .system(call: call, subject: folder, errno: Errno(rawValue: Self.readOnlyFileSystem))
  }

  private static let noEntry: Int32 = 2  // ENOENT
  private static let readOnlyFileSystem: Int32 = 30  // EROFS
}

/// The device of who only reads a journal whose segments are coded: its folder, and where that is damaged its shards.
package func openJournalReader(
  _ device: any JournalDevice, shards: ShardFolders
) throws(HostError) -> any JournalDevice { try readingPair(device, shards) }

/// A journal's folder and, as its second copy, what its shards give back: for who reads, or mends the folder.
func readingPair(_ device: any JournalDevice, _ shards: ShardFolders) throws(HostError) -> MirroredDevice {
  let name = "the shards in \(shards.places.map(\.folder).joined(separator: ", "))"
  return try MirroredDevice([device.folder, name], identity: shards.identity, stride: shards.stride) { folder in
    if folder == name { ShardDevice(shards, named: name) } else { device }
  }
}
