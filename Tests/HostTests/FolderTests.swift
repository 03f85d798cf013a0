import Glibc
import Host
import TestSupport
import Testing

@Suite struct FolderTests {
  private let folder: TestFolder

  init() throws { folder = try TestFolder() }

  @Test func `a folder has the names of its entries, hidden ones too, and not its own`() throws {
    for name in ["b", "a", ".hidden"] { close(creat(folder.file(name), 0o600)) }
    try #require(mkdir(folder.file("inner"), 0o700) == 0)
    #expect(try Folder(folder.path).names().sorted() == [".hidden", "a", "b", "inner"])
    #expect(try Folder(folder.file("inner")).names() == [])
    try DurableFolder(folder.path).sync()
  }

  @Test func `what is no folder is named, with the call that failed`() throws {
    close(creat(folder.file("file"), 0o600))
    for (name, errno) in [("none", ENOENT), ("file", ENOTDIR)] {
      let path = folder.file(name)
      #expect(throws: HostError.system(call: "opendir", subject: path, errno: Errno(rawValue: errno))) {
        try Folder(path).names()
      }
      #expect(throws: HostError.system(call: "open", subject: path, errno: Errno(rawValue: errno))) {
        try DurableFolder(path).sync()
      }
    }
  }
}
