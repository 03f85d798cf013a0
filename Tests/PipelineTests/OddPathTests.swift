import Foundation
import Glibc
import Host
import TestSupport
import Testing

extension Pipeline {
  /// Output folders that nobody would think of.
  @Suite struct OddPathTests {
    private let folder: TestFolder

    init() throws {
      folder = try TestFolder()
      let outcome = try Command.run(
        "simulate", folder.file("foam.h5"), "--rows", "1", "--columns", "16", "--projections", "4", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      try "no folder".write(toFile: folder.file("file"), atomically: false, encoding: .utf8)
      try #require(symlink("loop", folder.file("loop")) == 0 && symlink("nowhere", folder.file("dangling")) == 0)
      try #require(mkdir(folder.file("real"), 0o700) == 0 && symlink("real", folder.file("link")) == 0)
    }

    /// Reconstructs into `path`, from within the test's folder.
    private func recon(_ path: String) throws -> Command.Outcome {
      try Command(
        [
          "-c", "cd \"$0\" && exec \"$@\"", folder.path, Command.executable, "recon", "foam.h5",
          "--output-folder=\(path)",
          "--rotation-axis", "8", "--window-step", "0", "--final-iterations", "1", "--format", "hdf5", "--quiet",
        ], executable: "/bin/sh"
      ).end(within: .seconds(30))
    }

    @Test func `A run ends in the folder that a path names, however it names it`() throws {
      let paths = [
        "out": "out", "./dot/./here/": "dot/here", "missing/../up": "up", "\(folder.path)/none/../absolute": "absolute",
        "\(folder.path)/a/b/../../c/../back": "back", "/..//..\(folder.path)//double//": "double",
        "spaces and 'quotes' \"too\"": "spaces and 'quotes' \"too\"", "ünï-コード-🌀": "ünï-コード-🌀",
        "-dash": "-dash", "%41%2f": "%41%2f", "new\nline": "new\nline", "./~": "~", "link/inside": "real/inside",
        "x" + String(repeating: "/../x", count: 1000): "x", "file/../beside": "beside", "*": "*",
        "with#hash?and&more;": "with#hash?and&more;",
      ]
      for (path, place) in paths.sorted(by: { $0.key < $1.key }) {
        let outcome = try recon(path)
        #expect(outcome.status == .exited(0), "\(path): \(outcome.errors)")
        #expect(FileManager.default.fileExists(atPath: folder.file(place + "/foam_rec.h5")), "\(path)")
      }
    }

    @Test func `A path that cannot be a folder is refused in one line`() throws {
      let paths = [
        "loop", "loop/out", "dangling", "file", "file/out", "\(folder.path)/file/../out", "/proc/self/out",
        "/dev/null/out",
        "/sys/out", String(repeating: "n", count: 300),
        "\(folder.path)/" + String(repeating: "y/../", count: 1000) + "z",
      ]
      for path in paths {
        let outcome = try recon(path)
        expectFailure(73, outcome)
        #expect(outcome.errors.split(separator: "\n").count == 1, "\(path): \(outcome.errors)")
      }
    }
  }
}
