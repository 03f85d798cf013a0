import Foundation
import Glibc
import Host
import Testing

@Suite struct RegionLockTests {
  private let name = "slipring-test-\(UUID().uuidString)-lock"

  @Test func `a lock tells who holds it, and only as long as it is held`() throws {
    #expect(try RegionLock.holder(name: name) == nil)
    var lock: RegionLock? = try RegionLock(name: name)
    defer { shm_unlink("/" + name) }
    #expect(try RegionLock.holder(name: name) == "process \(getpid())" && RegionLock.isHeld(name: name))
    #expect(throws: HostError.regionTaken(name: name)) { try RegionLock(name: name) }
    withExtendedLifetime(lock) {}
    lock = nil
    #expect(try RegionLock.holder(name: name) == nil)
    #expect(throws: HostError.regionTaken(name: name)) { try RegionLock(name: name) }
  }

  @Test func `the lock of a dead process is taken over by one, and not once its name is gone`() throws {
    #expect(try RegionLock.takeOver(name: name) == nil)
    var lock: RegionLock? = try RegionLock(name: name)
    defer { shm_unlink("/" + name) }
    #expect(try RegionLock.takeOver(name: name) == nil)
    withExtendedLifetime(lock) {}
    lock = nil
    var first = try RegionLock.takeOver(name: name)
    #expect(try first != nil && RegionLock.takeOver(name: name) == nil)
    try SharedRegion.unlink(name: name)
    first = nil
    #expect(try RegionLock.takeOver(name: name) == nil)
    lock = try RegionLock(name: name)
    #expect(try RegionLock.takeOver(name: name) == nil)
    withExtendedLifetime(lock) {}
  }

  @Test func `what a lock says of its holder is not believed when it is no number`() throws {
    let lock = try RegionLock(name: name)
    defer { shm_unlink("/" + name) }
    for text in ["", "no number", "99999999999999999999", "-"] {
      try Data(text.utf8).write(to: URL(filePath: "/dev/shm/" + name))
      try #expect(RegionLock.holder(name: name)?.contains("does not name") == true, "\(text)")
    }
    withExtendedLifetime(lock) {}
  }
}
