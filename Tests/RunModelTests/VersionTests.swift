import CLinux
import Foundation
import Host
import KernelTypes
import Rings
import RunModel
import TestSupport
import Testing

/// Volumes of another version of Slipring.
@Suite struct VersionTests {
  private let layout = SliceLayout(columns: 12, rows: 5)
  private let runID = RunID.random()

  private func checkpoint(in folder: TestFolder) -> VolumeCheckpoint {
    VolumeCheckpoint(folder: folder.path, runID: runID, partition: 0, layout: layout)
  }

  private func update(_ generation: UInt64) -> UpdateEvent {
    UpdateEvent(
      phase: .window, index: 0, iterations: 1, cursor: 7, generation: generation, projections: 0..<3, rows: 0..<5,
      residualSquared: 1,
      dataSquared: 2, duration: 3, pixels: .init())
  }

  /// Puts another layout into a header whose checksum lies at `end`, and the checksum that fits.
  private func change(_ header: UnsafeMutableRawPointer, layout: UInt32, end: Int) {
    header.storeBytes(of: layout, toByteOffset: 4, as: UInt32.self)
    header.storeBytes(of: clinux_crc32c(0, header, end), toByteOffset: end, as: UInt32.self)
  }

  @Test func `A saved volume of a newer version is refused by name, and a damaged one is passed over`() throws {
    let folder = try TestFolder()
    let volume = UnsafeMutableRawPointer.allocate(byteCount: layout.volumeByteCount, alignment: 4096)
    defer { volume.deallocate() }
    for generation in UInt64(1)...2 {
      volume.initializeMemory(as: UInt8.self, repeating: UInt8(generation), count: layout.volumeByteCount)
      try checkpoint(in: folder).write(volume, update: update(generation))
    }
    let path = folder.file("volume.0.2.checkpoint")
    var bytes = try Array(#require(FileManager.default.contents(atPath: path)))
    bytes.withUnsafeMutableBytes { change($0.baseAddress!, layout: 4, end: 160) }
    try Data(bytes).write(to: URL(filePath: path))
    #expect(
      throws: FileError.badData(path: path, reason: "it was written by another version (layout 4); this one reads 3")
    ) {
      try checkpoint(in: folder).readNewest(into: volume)
    }
    // The same with a bit more turned: that is damage, and the one before serves.
    bytes[20] ^= 1
    try Data(bytes).write(to: URL(filePath: path))
    #expect(try checkpoint(in: folder).readNewest(into: volume) == update(1))
    #expect(volume.load(as: UInt8.self) == 1)
  }

  @Test func `A volume in memory of a newer version is refused by name`() throws {
    let name = RegionNames(runID: runID).volume(0)
    _ = try VolumeRegion.create(name: name, runID: runID, partition: 0, layout: layout, node: nil)
    defer { #expect(throws: Never.self) { try SharedRegion.unlink(name: name) } }
    let region = try SharedRegion.attach(name: name)
    change(region.base, layout: 6, end: 48)
    withExtendedLifetime(region) {}
    let refusal = HostError.regionRefused(
      name: name, reason: "it was made by another version (layout 6); this one reads 4 and 5")
    #expect(throws: refusal) { try VolumeRegion.attach(name: name, runID: runID, partition: 0, layout: layout) }
  }
}
