import Glibc
import Host
import TestSupport
import Testing

@Suite struct LockFileTests {
  @Test func `a lock file is held by one, names it, and is free again when its owner is gone`() throws {
    let folder = try TestFolder()
    let path = folder.file("lock")
    #expect(try LockFile.holder(path: path) == nil)
    var lock = try LockFile(path: path)
    #expect(try lock != nil && LockFile(path: path) == nil && LockFile.holder(path: path) == "process \(getpid())")
    lock = nil
    #expect(try LockFile.holder(path: path) == nil && LockFile(path: path) != nil)
  }

  @Test func `a lock that only the child of a dead process has is waited for, and nobody is said to live`() throws {
    let folder = try TestFolder()
    let path = folder.file("lock")
    let dead = try ChildProcess(executable: "/bin/true", arguments: [])
    _ = try dead.waitForExit(timeout: .seconds(10))
    // It holds the lock for a moment, and the file names the process that died.
    let child = try ChildProcess(
      executable: "/bin/sh",
      arguments: ["-c", "exec 9<>\"$0\" && flock 9 && printf %s \(dead.pid) >&9 && : > \"$0.held\" && sleep 0.4", path])
    let deadline = Deadline(after: .seconds(10))
    while access(path + ".held", F_OK) != 0, !deadline.hasPassed { usleep(1000) }
    #expect(try LockFile(path: path) == nil)
    #expect(try LockFile.holder(path: path) == nil)
    #expect(try child.waitForExit(timeout: .seconds(10)) == .exited(0))
  }
}
