import Foundation
import Glibc
import Host
import Testing

@Suite struct RegionFolderTests {
  private let folder = "slipring-test-\(UUID().uuidString)"

  @Test func `regions lie in a folder that only this user may enter, and it goes with the last of them`() throws {
    try RegionFolder.create(folder)
    #expect(throws: HostError.regionTaken(name: folder)) { try RegionFolder.create(folder) }
    var status = stat()
    #expect(stat("/dev/shm/\(folder)", &status) == 0 && status.st_mode & 0o777 == 0o700)
    let lock = try RegionLock(name: "\(folder)/lock")
    _ = try SharedRegion.create(name: "\(folder)/a", byteCount: 4096)
    #expect(try SharedRegion.attach(name: "\(folder)/a").byteCount == 4096)
    #expect(try SharedRegion.names(prefix: folder) == ["\(folder)/a", "\(folder)/lock"])
    #expect(try SharedRegion.names(prefix: "\(folder)/l") == ["\(folder)/lock"])
    #expect(try RegionFolder.names(prefix: folder) == [folder])
    try SharedRegion.unlink(name: "\(folder)/a")
    #expect(try RegionFolder.names(prefix: folder) == [folder])
    try SharedRegion.unlink(name: "\(folder)/lock")
    withExtendedLifetime(lock) {}
    #expect(try RegionFolder.names(prefix: folder).isEmpty)
  }

  @Test(arguments: ["a/b/c", "/a", "a/", "../a", "a/../b", "a/.b", "", "."])
  func `other paths are refused`(name: String) {
    #expect(throws: HostError.self) { try SharedRegion.create(name: name, byteCount: 4096) }
  }

  @Test(.enabled(if: geteuid() == 0, "another user's things need root"))
  func `what another user has put there is passed over, whatever its name`() throws {
    let (file, other) = ("/dev/shm/\(folder)-lock", "/dev/shm/\(folder)-folder")
    close(creat(file, 0o600))
    #expect(mkdir(other, 0o777) == 0 && chown(file, 12345, 0) == 0 && chown(other, 12345, 0) == 0)
    close(creat(other + "/lock", 0o600))
    defer {
      unlink(other + "/lock")
      rmdir(other)
      unlink(file)
    }
    #expect(try SharedRegion.names(prefix: folder).isEmpty && RegionFolder.names(prefix: folder).isEmpty)
  }
}
