import Foundation
import Host
import ScanFiles
import TestSupport
import Testing

/// Writers of 1 MiB and more, by name.
private let writers: [(name: String, write: @Sendable (String) throws -> Void)] = [
  ("text", { try writeFileAtomically(path: "\($0)/out.json", text: String(repeating: "x", count: 1 << 20)) }),
  (
    "TIFF",
    { path in
      try [Float](repeating: 1, count: 512 * 512).withUnsafeBufferPointer {
        try writeTIFF(path: "\(path)/out.tiff", columns: 512, rows: 512, values: $0, description: "full")
      }
    }
  ),
  (
    "volume",
    { path in
      let writer = try VolumeHDF5Writer(
        path: "\(path)/out.h5", slices: 64, columns: 64, attributes: ["units": "1/pixel"])
      let slice = [Float](repeating: 1, count: 64 * 64)
      for z in 0..<64 { try slice.withUnsafeBufferPointer { try writer.write(slice: $0, at: z) } }
      try writer.finish()
    }
  ),
  (
    "scan",
    { path in
      let writer = try DXchangeWriter(
        path: "\(path)/out.h5", projectionCount: 64, rows: 64, columns: 64, pixel: .float32, flatCount: 0, darkCount: 0,
        thetasDegrees: (0..<64).map(Double.init))
      let frame = [Float](repeating: 1, count: 64 * 64)
      for index in 0..<64 { try frame.withUnsafeBytes { try writer.writeProjection(index, $0) } }
      try writer.finish()
    }
  ),
]

/// Whether this process may mount; in most containers even root may not.
private let mayMount: Bool = {
  do {
    let folder = try TestFolder()
    return mount("tmpfs", folder.path, "tmpfs", 0, "size=4k") == 0 && umount2(folder.path, Int32(MNT_DETACH)) == 0
  } catch {
    return false
  }
}()

@Suite struct DiskFullTests {
  /// A file system of 256 KiB, mounted for this test.
  @Test(.enabled(if: mayMount, "mounting a small file system takes root with CAP_SYS_ADMIN"))
  func `a full disk is a clean error, leaves nothing, and the next file is written`() throws {
    let folder = try TestFolder()
    try #require(mount("tmpfs", folder.path, "tmpfs", 0, "size=256k") == 0)
    defer { #expect(umount2(folder.path, Int32(MNT_DETACH)) == 0) }
    for (name, write) in writers {
      expectFailure(74, "out.", "No space left on device") { try write(folder.path) }
      #expect(try folder.names() == [], "\(name)")
    }
    try writeFileAtomically(path: folder.file("small"), text: "fits")
    #expect(try folder.names() == ["small"])
  }

  /// Every write beyond 64 KiB fails, into memory too, so that libhdf5 cannot even close an abandoned file. At exit it
  /// must not stumble.
  @Test func `writes that fail late, and a close that fails, leave nothing and no crash at exit`() async {
    await #expect(processExitsWith: .success) {
      let folder = try TestFolder()
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit()
      #expect(getrlimit(fileSize, &limit) == 0)
      limit.rlim_cur = 64 << 10
      #expect(setrlimit(fileSize, &limit) == 0)
      for (name, write) in writers {
        expectFailure(74, "out.", "File too large") { try write(folder.path) }
        #expect(try folder.names() == [], "\(name)")
      }
    }
  }

  @Test func `a volume needs the folder that it goes into`() throws {
    let folder = try TestFolder()
    expectFailure(73, "no folder") {
      _ = try VolumeHDF5Writer(path: folder.file("gone/out.h5"), slices: 1, columns: 1)
    }
  }
}

private let fileSize = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
