import Glibc
import Host
import TestSupport
import Testing

@Suite struct DurableFolderTests {
  private let folder: TestFolder

  init() throws { folder = try TestFolder() }

  private func mode(_ name: String) throws -> mode_t {
    var status = stat()
    try #require(stat(folder.file(name), &status) == 0 && status.st_mode & S_IFMT == S_IFDIR)
    return status.st_mode & 0o777
  }

  @Test func `a folder is made with those above it, for its owner or for everybody, and stays as it is`() throws {
    try DurableFolder.make(folder.file("a/b/own"), for: .owner)
    try DurableFolder.make(folder.file("a/b/usual"), for: .usual)
    // The umask of this process says what is usual.
    let usual = try mode("a")
    #expect(try mode("a/b/own") == 0o700 && mode("a/b") == usual && mode("a/b/usual") == usual)
    try DurableFolder.make(folder.file("a/b"), for: .owner)
    #expect(try mode("a/b") == usual)
    try DurableFolder(folder.file("a")).sync()
  }

  @Test func `a folder that cannot be made is named, with what is in its place`() throws {
    close(creat(folder.file("file"), 0o600))
    for path in ["file", "file/inner"] {
      let error = #expect(throws: HostError.self) { try DurableFolder.make(folder.file(path), for: .owner) }
      guard case .system("mkdir", let subject, Errno(rawValue: EEXIST)) = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
      #expect(subject.hasSuffix("/file"))
    }
  }
}
