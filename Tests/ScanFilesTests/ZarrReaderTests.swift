import Foundation
import TestSupport
import Testing

@testable import ScanFiles

/// Volumes in Zarr, read as whoever looks at them does.
@Suite struct ZarrReaderTests {
  private let folder: TestFolder
  private let path: String

  init() throws {
    folder = try TestFolder()
    path = folder.file("volume.zarr")
  }

  private func voxel(_ z: Int, _ y: Int, _ x: Int) -> Float { Float(z * 10_000 + y * 100 + x) - 0.25 }

  private func write(_ slices: Int, _ columns: Int, _ version: OMEZarrVersion, voxel size: Double? = 0.0013) throws {
    var about = VolumeDescription()
    about.voxelSizeMillimetres = size
    let volume = try ZarrVolume(
      path: path, slices: slices, columns: columns, depth: 4, edge: 8, version: version,
      attributes: ["units": "1/mm"], about: about)
    for z in 0..<slices {
      let slice = (0..<columns * columns).map { voxel(z, $0 / columns, $0 % columns) }
      try slice.withUnsafeBufferPointer { try volume.add(slice: $0) }
    }
    try volume.finish()
  }

  @Test(arguments: OMEZarrVersion.allCases) func `Boxes have the voxels that were written, wherever chunks end`(
    version: OMEZarrVersion
  ) throws {
    try write(6, 20, version)
    let volume = try ZarrReader(path: path)
    #expect(volume.slices == 6 && volume.columns == 20 && volume.unit == "1/mm")
    #expect(abs((volume.voxelSizeMillimetres ?? 0) - 0.0013) < 1e-12)
    for (start, count) in [
      ([0, 0, 0], [6, 20, 20]), ([5, 0, 0], [1, 20, 20]), ([0, 7, 0], [6, 1, 20]), ([0, 0, 19], [6, 20, 1]),
      ([3, 7, 15], [2, 2, 2]), ([4, 16, 16], [2, 4, 4]),
    ] {
      let values = try volume.read(start: start, count: count)
      let expected = (0..<count[0]).flatMap { z in
        (0..<count[1]).flatMap { y in (0..<count[2]).map { voxel(start[0] + z, start[1] + y, start[2] + $0) } }
      }
      #expect(values == expected, "\(count) at \(start)")
    }
  }

  @Test func `A volume without a voxel's size is in voxels`() throws {
    try write(1, 9, .v05, voxel: nil)
    #expect(try ZarrReader(path: path).voxelSizeMillimetres == nil)
  }

  @Test func `A chunk that is missing, cut short or another's is told by its name, and no voxel is made up`() throws {
    try write(6, 20, .v05)
    let volume = try ZarrReader(path: path)
    let name = URL(filePath: "\(path)/0/c/0/1/1"), bytes = try Data(contentsOf: name)
    func expectRefusal(_ words: String) {
      expectFailure(65, "0/c/0/1/1", words) { _ = try volume.read(start: [0, 8, 0], count: [1, 1, 20]) }
    }
    try bytes.prefix(bytes.count / 2).write(to: name)
    expectRefusal("cut short or damaged")
    try Data(repeating: 0, count: 1 << 20).write(to: name)
    expectRefusal("cannot be right")
    try FileManager.default.removeItem(at: name)
    expectRefusal("No such file")
    try FileManager.default.createDirectory(at: name, withIntermediateDirectories: false)
    expectRefusal("directory")
    // A volume is refused where its first or its last chunk is not there.
    try FileManager.default.removeItem(atPath: "\(path)/0/c/1/2/2")
    expectFailure(65, "0/c/1/2/2") { _ = try ZarrReader(path: path) }
  }

  @Test func `Another volume in the same place is not mixed with the one that is open`() throws {
    try write(6, 20, .v05)
    let volume = try ZarrReader(path: path)
    try FileManager.default.moveItem(atPath: path, toPath: folder.file("old.zarr"))
    try write(3, 9, .v05)
    #expect(try volume.read(start: [5, 19, 19], count: [1, 1, 1]) == [voxel(5, 19, 19)])
  }

  @Test func `What others may have written there is refused by file and reason`() throws {
    expectFailure(66, "volume.zarr") { _ = try ZarrReader(path: path) }
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    expectFailure(65, "no OME-Zarr volume") { _ = try ZarrReader(path: path) }
    try FileManager.default.removeItem(atPath: path)
    try write(6, 20, .v05)
    func expectRefusal(_ file: String, _ text: String, _ replacement: String, _ reason: String) throws {
      let name = "\(path)/\(file)", original = try String(contentsOfFile: name, encoding: .utf8)
      let changed = original.replacing(text, with: replacement)
      #expect(changed != original, "\(text)")
      try changed.write(toFile: name, atomically: true, encoding: .utf8)
      expectFailure(65, file, reason) { _ = try ZarrReader(path: path) }
      try original.write(toFile: name, atomically: true, encoding: .utf8)
    }
    try expectRefusal("zarr.json", "\"path\" : \"0\"", "\"path\" : \"../0\"", "names no level")
    try expectRefusal("zarr.json", "{", "", "no JSON object")
    try expectRefusal("0/zarr.json", "float32", "float64", "not float32")
    try expectRefusal("0/zarr.json", "\"little\"", "\"big\"", "not float32")
    try expectRefusal("0/zarr.json", "\"zstd\"", "\"gzip\"", "not float32")
    try expectRefusal("0/zarr.json", "20", "-20", "no volume")
    try expectRefusal("0/zarr.json", "20", "1e30", "no volume")
    try expectRefusal("0/zarr.json", "8", "16000000", "too many to be read")
    #expect(try ZarrReader(path: path).slices == 6)
  }
}
