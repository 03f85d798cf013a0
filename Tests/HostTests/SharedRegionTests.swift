import Foundation
import Glibc
import Host
import Testing

@Suite struct SharedRegionTests {
  private let name = "slipring-test-\(UUID().uuidString)"

  @Test func `what one mapping writes the other one reads`() throws {
    let region = try SharedRegion.create(name: name, byteCount: 10_000)
    defer { shm_unlink("/" + name) }
    let other = try SharedRegion.attach(name: name)
    #expect(other.byteCount == 10_000 && other.base != region.base)
    region.base.storeBytes(of: 42, toByteOffset: 9992, as: UInt64.self)
    #expect(other.base.load(fromByteOffset: 9992, as: UInt64.self) == 42)
    #expect(try SharedRegion.names(prefix: name) == [name])
    try SharedRegion.unlink(name: name)
    #expect(try SharedRegion.names(prefix: name) == [])
    #expect(throws: HostError.system(call: "unlink", subject: "/dev/shm/\(name)", errno: Errno(rawValue: ENOENT))) {
      try SharedRegion.unlink(name: name)
    }
  }

  @Test func `all pages are there from the start, only this user may open them, whatever the umask`() throws {
    let mask = umask(0o777)
    defer {
      umask(mask)
      shm_unlink("/" + name)
    }
    _ = try SharedRegion.create(name: name, byteCount: 1 << 20, node: 0, hugePages: true)
    var status = stat()
    #expect(stat("/dev/shm/\(name)", &status) == 0)
    #expect(status.st_blocks * 512 >= 1 << 20 && status.st_mode & 0o777 == 0o600)
  }

  @Test func `a name that is taken is an error that says so`() throws {
    _ = try SharedRegion.create(name: name, byteCount: 4096)
    defer { shm_unlink("/" + name) }
    #expect(throws: HostError.regionTaken(name: name)) { try SharedRegion.create(name: name, byteCount: 4096) }
    #expect(HostError.regionTaken(name: name).exitCode == 73)
  }

  @Test func `a symbolic link in the region's place is followed neither by create nor by attach`() throws {
    let target = name + "-target"
    _ = try SharedRegion.create(name: target, byteCount: 4096)
    #expect(symlink("/dev/shm/\(target)", "/dev/shm/\(name)") == 0)
    defer {
      shm_unlink("/" + name)
      shm_unlink("/" + target)
    }
    #expect(throws: HostError.regionTaken(name: name)) { try SharedRegion.create(name: name, byteCount: 4096) }
    #expect(throws: HostError.regionRefused(name: name, reason: "it is a symbolic link")) {
      try SharedRegion.attach(name: name)
    }
  }

  @Test func `what others may open, has a second name, is empty or no file is refused`() throws {
    _ = try SharedRegion.create(name: name, byteCount: 4096)
    let path = "/dev/shm/\(name)"
    let second = name + "-second"
    defer {
      shm_unlink("/" + name)
      unlink("/dev/shm/\(second)")
    }
    #expect(chmod(path, 0o640) == 0)
    #expect(throws: HostError.regionRefused(name: name, reason: "others may open it (mode 640)")) {
      try SharedRegion.attach(name: name)
    }
    #expect(chmod(path, 0o600) == 0 && link(path, "/dev/shm/\(second)") == 0)
    #expect(throws: HostError.regionRefused(name: name, reason: "it has 2 names")) {
      try SharedRegion.attach(name: name)
    }
    #expect(unlink("/dev/shm/\(second)") == 0 && truncate(path, 0) == 0)
    #expect(throws: HostError.regionRefused(name: name, reason: "it is empty")) { try SharedRegion.attach(name: name) }
    #expect(unlink(path) == 0 && mkfifo(path, 0o600) == 0)
    #expect(throws: HostError.regionRefused(name: name, reason: "it is not a regular file")) {
      try SharedRegion.attach(name: name)
    }
  }

  @Test(.enabled(if: geteuid() == 0, "only root can make another user's file"))
  func `another user's region is refused`() throws {
    _ = try SharedRegion.create(name: name, byteCount: 4096)
    defer { shm_unlink("/" + name) }
    #expect(chown("/dev/shm/\(name)", 12345, 0) == 0)
    #expect(throws: HostError.regionRefused(name: name, reason: "it belongs to user 12345")) {
      try SharedRegion.attach(name: name)
    }
  }

  @Test(.enabled(if: Machine.sharedMemoryFree != nil, "this /dev/shm has no limit"))
  func `a region larger than what is free is refused with both figures and leaves no name`() throws {
    let error = #expect(throws: HostError.self) { try SharedRegion.create(name: name, byteCount: 1 << 46) }
    guard case .noSharedMemory(name: name, needed: 1 << 46, let free) = error else {
      Issue.record("it was \(String(describing: error))")
      return
    }
    #expect(free >= 0 && free < 1 << 46)
    #expect(try SharedRegion.names(prefix: name) == [])
  }

  @Test func `names that are none are refused`() {
    for name in ["", "a/b", "..", ".hidden", String(repeating: "x", count: 255), "a\0b"] {
      #expect(throws: HostError.self) { try SharedRegion.create(name: name, byteCount: 4096) }
      #expect(throws: HostError.self) { try SharedRegion.attach(name: name) }
    }
  }
}
