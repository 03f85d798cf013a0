import Foundation
import Glibc
import Host

/// The folder of a Zarr volume that is being written: hidden, and given its name when it is complete. What a process
/// that was killed has left of the same volume is taken over.
///
/// ```
/// .slipring-<name>.partial/
///   <chunks>                       files of their own, durable slab by slab
///   .done/layout                   what the volume is made as; another one begins anew
///   .done/<level>-<slab>           digest of a slab whose chunks are durable
/// ```
struct ZarrFolder {
  /// Where the volume will be.
  let path: String
  private let partial: String
  private let old: String

  /// Chunks that are open at once.
  private static let openMax = 32

  /// Takes over what is there of a volume that is made as `layout` says, or begins.
  init(path: String, layout: String) throws(FileError) {
    let path = absolutePath(path)
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 || errno == ENOENT else {
      throw .cannotCreate(path: path, reason: "the name is taken by something that is no folder; choose another name")
    }
    if descriptor >= 0 { close(descriptor) }
    self.path = path
    let name = path.split(separator: "/").last ?? "volume"
    partial = "\(folderName(of: path))/.slipring-\(name).partial"
    old = "\(folderName(of: path))/.slipring-\(name).old"
    try Self.remove(old)
    let note = "\(partial)/.done/layout"
    guard Self.text(note) != layout else { return }
    try Self.remove(partial)
    try Self.make("\(partial)/.done")
    try writeFileAtomically(path: note, text: layout)
  }

  /// Whether the chunks of a slab with this digest are there.
  func has(_ slab: String, digest: String) -> Bool { Self.text("\(partial)/.done/\(slab)") == digest }

  /// Writes the chunks of a slab and makes them durable, so that `has` says so from now on. `frame` gives the bytes of
  /// one, valid until it is asked again.
  func write(_ slab: String, digest: String, chunks: [String], frame: (_ index: Int) -> UnsafeRawBufferPointer)
    throws(FileError)
  {
    let folders = Set(chunks.map { folderName(of: "\(partial)/\($0)") })
    for folder in folders.sorted() { try Self.make(folder) }
    for batch in stride(from: 0, to: chunks.count, by: Self.openMax) {
      var open: [OpenChunk] = []
      for index in batch..<min(batch + Self.openMax, chunks.count) {
        let chunk = try OpenChunk("\(partial)/\(chunks[index])")
        try chunk.write(frame(index))
        FaultPoint.exportHalf.reach()
        open.append(chunk)
      }
      for chunk in open { try chunk.makeDurable() }
    }
    for folder in folders.sorted() { try Self.sync(folder) }
    try writeFileAtomically(path: "\(partial)/.done/\(slab)", text: digest)
  }

  /// Adds files that are no chunks, and gives the folder its name. One that had it before is replaced; a process that
  /// dies in between leaves neither, and the next one goes on from the chunks.
  func finish(_ files: [(path: String, bytes: [UInt8])]) throws(FileError) {
    for (name, bytes) in files { try writeFileAtomically(path: "\(partial)/\(name)", bytes: bytes) }
    let parent = folderName(of: path)
    if access(path, F_OK) == 0 { try Self.rename(path, to: old) }
    FaultPoint.renameBefore.reach()
    try Self.rename(partial, to: path)
    try Self.sync(parent)
    FaultPoint.renameAfter.reach()
    try Self.remove("\(path)/.done")
    try Self.remove(old)
  }

  /// Removes what was written.
  func abandon() {
    // What cannot be removed is taken over or removed by the next export.
    do throws(FileError) { try Self.remove(partial) } catch {}
  }

  /// A chunk's file until it is durable.
  private final class OpenChunk {
    private let descriptor: Int32
    private let path: String

    init(_ path: String) throws(FileError) {
      self.path = path
      descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o666)
      guard descriptor >= 0 else { throw .writing(path, errno) }
    }

    deinit { close(descriptor) }

    func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { throw .writing(path, count == 0 ? EIO : errno) }
        rest = rest.dropFirst(count)
      }
    }

    func makeDurable() throws(FileError) {
      guard fsync(descriptor) == 0 else { throw .writing(path, errno) }
    }
  }

  private static func text(_ path: String) -> String? {
    FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
  }

  private static func make(_ path: String) throws(FileError) {
    do throws(HostError) { try DurableFolder.make(path, for: .usual) } catch { throw failure(path, error) }
  }

  private static func sync(_ path: String) throws(FileError) {
    do throws(HostError) { try DurableFolder(path).sync() } catch { throw failure(path, error) }
  }

  private static func failure(_ path: String, _ error: HostError) -> FileError {
    guard case .system(_, _, let code) = error else { return .io(path: path, reason: "\(error)") }
    return .writing(path, code.rawValue)
  }

  private static func rename(_ path: String, to new: String) throws(FileError) {
    guard Glibc.rename(path, new) == 0 else { throw .writing(path, errno) }
  }

  private static func remove(_ path: String) throws(FileError) {
    do { try FileManager.default.removeItem(atPath: path) } catch CocoaError.fileNoSuchFile { return } catch {
      throw .io(path: path, reason: "it cannot be removed; remove it, or choose another output folder")
    }
  }
}
