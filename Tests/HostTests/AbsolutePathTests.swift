import Glibc
import Host
import TestSupport
import Testing

@Suite struct AbsolutePathTests {
  private let folder: TestFolder
  private let path: String

  init() throws {
    folder = try TestFolder()
    // The folder for temporary files may have a symbolic link above it.
    let real = try #require(realpath(folder.path, nil))
    defer { free(real) }
    path = String(cString: real)
    for name in ["a", "a/b", "c"] { try #require(mkdir(folder.file(name), 0o700) == 0) }
    try #require(symlink("../a/b", folder.file("c/link")) == 0 && symlink("loop", folder.file("loop")) == 0)
  }

  @Test func `What says nothing is left out`() {
    #expect(absolutePath("\(path)//a/./b/") == "\(path)/a/b")
    #expect(absolutePath("/") == "/" && absolutePath("//.//") == "/" && absolutePath("/..//../usr/") == "/usr")
  }

  @Test func `The folder above one behind a symbolic link is where the kernel goes`() {
    #expect(absolutePath("\(path)/c/link/../x") == "\(path)/a/x")
    #expect(absolutePath("\(path)/c/link/x") == "\(path)/c/link/x")
    #expect(absolutePath("\(path)/c/../a/b/../..") == path)
  }

  @Test func `Behind what is not there a name is taken away`() {
    #expect(absolutePath("\(path)/none/more/../../x") == "\(path)/x")
    #expect(absolutePath("\(path)/loop/../x") == "\(path)/x")
  }

  @Test func `A relative path is below the working folder, whatever its name begins with`() throws {
    let here = try #require(realpath(".", nil))
    defer { free(here) }
    for name in ["x", "~", "~/x", "~root/x", "-", "ü"] {
      #expect(absolutePath(name) == "\(String(cString: here))/\(name)")
      #expect(absolutePath("./\(name)/") == "\(String(cString: here))/\(name)")
    }
  }
}
