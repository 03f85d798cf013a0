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
      for name in ["real/deep", "other"] { try #require(mkdir(folder.file(name), 0o700) == 0) }
      try #require(symlink("../real/deep", folder.file("other/jump")) == 0)
    }

    /// Reconstructs into `path`, from within the test's folder.
    private func recon(_ path: String, scan: String = "foam.h5") throws -> Command.Outcome {
      try Command(
        [
          "-c", "cd \"$0\" && exec \"$@\"", folder.path, Command.executable, "recon", scan,
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
        "\(folder.path)/file/../side": "side", "other/jump/../after": "real/after", "~x": "~x",
        "x" + String(repeating: "/../x", count: 1000): "x", "file/../beside": "beside", "*": "*",
        "with#hash?and&more;": "with#hash?and&more;",
      ]
      for (path, place) in paths.sorted(by: { $0.key < $1.key }) {
        let outcome = try recon(path)
        #expect(outcome.status == .exited(0), "\(path): \(outcome.errors)")
        #expect(FileManager.default.fileExists(atPath: folder.file(place + "/foam_rec.h5")), "\(path)")
      }
    }

    @Test func `A scan file is the one that the kernel finds`() throws {
      try FileManager.default.copyItem(atPath: folder.file("foam.h5"), toPath: folder.file("real/scan.h5"))
      try "another".write(toFile: folder.file("other/scan.h5"), atomically: false, encoding: .utf8)
      let outcome = try recon("out", scan: "other/jump/../scan.h5")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
    }

    @Test func `A home folder that no shell has put in is refused`() throws {
      for path in ["~", "~/out", "~root/out"] {
        expectFailure(64, try recon(path), "--output-folder \(path): no shell has replaced the ~", "./\(path)")
      }
      expectFailure(64, try recon("out", scan: "~/foam.h5"), "--input ~/foam.h5: no shell")
      let file = folder.file("scan.yaml")
      try "input: \(folder.file("foam.h5"))\noutput-folder: ~/out\n".write(
        toFile: file, atomically: false, encoding: .utf8)
      expectFailure(78, try Command.run("run", file), "scan.yaml:2", "no shell has replaced the ~")
    }

    @Test func `A path that cannot be a folder is refused in one line`() throws {
      let paths = [
        "loop", "loop/out", "dangling", "file", "file/out", "/proc/self/out",
        "/dev/null/out",
        "/sys/out", String(repeating: "n", count: 300),
        "\(folder.path)/" + String(repeating: "y/", count: 3000) + "z",
      ]
      for path in paths {
        let outcome = try recon(path)
        expectFailure(73, outcome)
        #expect(outcome.errors.split(separator: "\n").count == 1, "\(path): \(outcome.errors)")
      }
    }
  }
}
