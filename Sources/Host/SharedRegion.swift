internal import CLinux
internal import Glibc

/// A named piece of memory in /dev/shm, mapped for reading and writing, all of it backed by pages before anybody uses
/// it. Its name may have a folder before it (``RegionFolder``).
///
/// The mapping ends with this object; the name stays until `unlink`. The bytes belong to every process that attached:
/// what is read from them has to be validated, and words that several processes use at once have to be atomic.
package final class SharedRegion: @unchecked Sendable {
  /// The name in /dev/shm, without a slash.
  package let name: String
  /// The size of the mapping.
  package let byteCount: Int
  /// The first byte; a multiple of the page size.
  package let base: UnsafeMutableRawPointer

  private init(name: String, byteCount: Int, base: UnsafeMutableRawPointer) {
    self.name = name
    self.byteCount = byteCount
    self.base = base
  }

  deinit { munmap(base, byteCount) }

  /// Makes a region of zeros that only this user may open. Its pages are taken from NUMA node `node` where the machine
  /// has several, and are there when the call returns, so that a full /dev/shm is an error here and not a SIGBUS later.
  ///
  /// Throws `.regionTaken` if the name exists, `.noSharedMemory` if there is no room; a failed call leaves no name
  /// behind.
  package static func create(
    name: String, byteCount: Int, node: Int? = nil, hugePages: Bool = false
  ) throws(HostError) -> SharedRegion {
    precondition(byteCount > 0, "region \(name): \(byteCount) bytes")
    let path = try RegionFolder.path(of: name)
    let descriptor = open(path, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0o600)
    if descriptor < 0 {
      let error = Errno.current
      throw error.rawValue == EEXIST
        ? .regionTaken(name: name) : .system(call: "open", subject: "/dev/shm/\(name)", errno: error)
    }
    defer { close(descriptor) }
    do throws(HostError) {
      return try fill(descriptor, name: name, byteCount: byteCount, node: node, hugePages: hugePages)
    } catch {
      Glibc.unlink(path)
      throw error
    }
  }

  /// Maps an existing region after checking that it is a regular file of this user, closed to others, with one name and
  /// some content. With `isReadOnly` the kernel keeps this process from storing there: it would end it.
  package static func attach(name: String, isReadOnly: Bool = false) throws(HostError) -> SharedRegion {
    // With O_NOFOLLOW a symbolic link in the region's place is ELOOP; with O_NONBLOCK no pipe there is waited for.
    let descriptor = open(
      try RegionFolder.path(of: name), (isReadOnly ? O_RDONLY : O_RDWR) | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    if descriptor < 0 {
      let error = Errno.current
      throw error.rawValue == ELOOP
        ? .regionRefused(name: name, reason: "it is a symbolic link")
        : .system(call: "open", subject: "/dev/shm/\(name)", errno: error)
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure("fstat", name) }
    if let reason = objection(to: status) { throw .regionRefused(name: name, reason: reason) }
    let byteCount = Int(status.st_size)
    let base = try map(descriptor, name: name, byteCount: byteCount, isReadOnly: isReadOnly)
    return SharedRegion(name: name, byteCount: byteCount, base: base)
  }

  /// Removes the name, and its folder with the last name in it; mappings stay until they end. Throws `.system` with
  /// ENOENT if there is none.
  package static func unlink(name: String) throws(HostError) {
    guard Glibc.unlink(try RegionFolder.path(of: name)) == 0 else { throw failure("unlink", name) }
    guard let slash = name.firstIndex(of: "/") else { return }
    RegionFolder.removeIfEmpty(String(name[..<slash]))
  }

  /// The names of this user's regions in /dev/shm and in this user's folders there that begin with `prefix`, sorted: as
  /// `region`, or as `folder/region`. What other users put there is passed over, whatever its name.
  package static func names(prefix: String) throws(HostError) -> [String] {
    let first = prefix.split(separator: "/", omittingEmptySubsequences: false).first.map(String.init) ?? ""
    var found = try Folder(RegionFolder.root).names().filter { $0.hasPrefix(first) && RegionFolder.isOwn($0, S_IFREG) }
    for folder in try RegionFolder.names(prefix: first) {
      do throws(HostError) {
        found += try Folder("\(RegionFolder.root)/\(folder)").names().map { "\(folder)/\($0)" }
      } catch .system(_, _, Errno(rawValue: ENOENT)) {
        // Its owner has just removed it.
        continue
      }
    }
    return found.filter { $0.hasPrefix(prefix) }.sorted()
  }

  private static func fill(
    _ descriptor: Int32, name: String, byteCount: Int, node: Int?, hugePages: Bool
  ) throws(HostError) -> SharedRegion {
    let free = Machine.sharedMemoryFree
    if let free, byteCount > free { throw .noSharedMemory(name: name, needed: byteCount, free: free) }
    guard fchmod(descriptor, 0o600) == 0 else { throw failure("fchmod", name) }
    guard ftruncate(descriptor, byteCount) == 0 else { throw failure("ftruncate", name) }
    let region = SharedRegion(
      name: name, byteCount: byteCount, base: try map(descriptor, name: name, byteCount: byteCount))
    if hugePages {
      // Advice: a kernel without huge pages in shared memory refuses it, and nothing but speed depends on it.
      madvise(region.base, byteCount, MADV_HUGEPAGE)
    }
    if let node, clinux_numa_node_limit() > 1 {
      let error = clinux_numa_prefer(region.base, byteCount, Int32(node))
      guard error == 0 else {
        throw .system(call: "mbind", subject: "/dev/shm/\(name)", errno: Errno(rawValue: -error))
      }
    }
    // Pages that posix_fallocate makes do not hear of the advice. Where there is no room it says so.
    if hugePages, SharedHugePages.current == .advised { madvise(region.base, byteCount, Self.populateForWriting) }
    try allocate(descriptor, name: name, byteCount: byteCount)
    return region
  }

  /// MADV_POPULATE_WRITE of <linux/mman.h>, which Glibc's module lacks.
  private static let populateForWriting: Int32 = 23

  private static func allocate(_ descriptor: Int32, name: String, byteCount: Int) throws(HostError) {
    var error = EINTR
    for _ in 0..<100 where error == EINTR { error = posix_fallocate(descriptor, 0, byteCount) }
    if error == ENOSPC { throw .noSharedMemory(name: name, needed: byteCount, free: Machine.sharedMemoryFree ?? 0) }
    guard error == 0 else {
      throw .system(call: "posix_fallocate", subject: "/dev/shm/\(name)", errno: Errno(rawValue: error))
    }
  }

  private static func map(
    _ descriptor: Int32, name: String, byteCount: Int, isReadOnly: Bool = false
  ) throws(HostError) -> UnsafeMutableRawPointer {
    let base = mmap(nil, byteCount, isReadOnly ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
    guard let base, base != MAP_FAILED else { throw failure("mmap", name) }
    return base
  }

  private static func objection(to status: stat) -> String? {
    if status.st_mode & S_IFMT != S_IFREG { return "it is not a regular file" }
    if status.st_uid != geteuid() { return "it belongs to user \(status.st_uid)" }
    if status.st_mode & 0o077 != 0 { return "others may open it (mode \(String(status.st_mode & 0o777, radix: 8)))" }
    if status.st_nlink != 1 { return "it has \(status.st_nlink) names" }
    if status.st_size <= 0 { return "it is empty" }
    return nil
  }

  private static func failure(_ call: String, _ name: String) -> HostError {
    .system(call: call, subject: "/dev/shm/\(name)", errno: .current)
  }
}
