import Foundation
import Glibc
import Host
import ScanFiles
import TestSupport
import Testing

extension Pipeline {
  @Suite struct ViewerTests {
    private static let (slices, columns) = (6, 300)

    /// As in `Browser/view.py`.
    private func voxel(_ z: Int, _ y: Int, _ x: Int) -> Float {
      Float((z * 131 + y * 17 + x * 29 + y * x % 13) % 1021) / 8 - 20
    }

    private func write(to path: String) throws {
      var about = VolumeDescription()
      about.voxelSizeMillimetres = 0.01
      let slices = (0..<Self.slices).map { z in
        (0..<Self.columns).flatMap { y in (0..<Self.columns).map { voxel(z, y, $0) } }
      }
      if path.hasSuffix(".zarr") {
        let volume = try ZarrVolume(
          path: path, slices: Self.slices, columns: Self.columns, depth: 4, version: .v05, about: about)
        for slice in slices { try slice.withUnsafeBufferPointer { try volume.add(slice: $0) } }
        try volume.finish()
      } else {
        let writer = try VolumeHDF5Writer(path: path, slices: Self.slices, columns: Self.columns, about: about)
        for (z, slice) in slices.enumerated() {
          try slice.withUnsafeBufferPointer { try writer.write(slice: $0, at: z) }
        }
        try writer.finish()
      }
    }

    @Test(
      "In a browser the viewer shows the file's voxels, numpy's percentiles, means of regions, and it from all sides",
      .enabled(if: Self.program("chromium") != nil && Self.program("python3") != nil, "needs chromium and python3"),
      arguments: ["volume.h5", "volume.zarr"])
    func browser(name: String) throws {
      let folder = try TestFolder()
      let file = folder.file(name)
      try write(to: file)
      let command = try Command(["view", file, "--dashboard", "127.0.0.1:0"])
      var url: Substring?
      try PipelineTests.wait("the address of the viewer") {
        url = try command.errorsSoFar().split(separator: "\n").first { $0.contains("viewer: http://") }?
          .split(separator: " ").last
        return url != nil
      }
      let look = Process()
      look.executableURL = URL(filePath: try #require(Self.program("python3")))
      look.arguments = [
        URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Browser/view.py").path,
        try #require(Self.program("chromium")), String(try #require(url)),
        FileManager.default.currentDirectoryPath + "/.build/live-page", folder.file("profile"), "\(Self.slices)",
        "\(Self.columns)",
      ]
      let output = Pipe()
      look.standardError = output
      try look.run()
      look.waitUntilExit()
      let errors = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      #expect(look.terminationStatus == 0, "\(errors)")
      try command.process.signal(SIGINT)
      #expect(try command.end().status == .exited(0))
    }

    @Test("What is no volume is refused in one line before anything is served")
    func refusals() throws {
      let folder = try TestFolder()
      expectFailure(66, try Command.run("view", folder.file("nothing.h5")), "nothing.h5")
      try Data("text".utf8).write(to: URL(filePath: folder.file("text.h5")))
      expectFailure(65, try Command.run("view", folder.file("text.h5")), "not an HDF5 file")
      expectFailure(65, try Command.run("view", folder.path), "no OME-Zarr volume")
      #expect(try Command.run("view").status == .exited(64))
    }

    /// Where a program is, if anywhere on the path.
    private static func program(_ name: String) -> String? {
      (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(name)" }
        .first { access($0, X_OK) == 0 }
    }
  }
}
