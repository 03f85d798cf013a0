import CZstd
import Foundation
import Host
import TestSupport
import Testing

@testable import ScanFiles

/// A volume in chunks: what lies where, read with libzstd alone.
@Suite struct ZarrVolumeTests {
  private let folder: TestFolder
  private let path: String

  init() throws {
    folder = try TestFolder()
    path = folder.file("volume.zarr")
  }

  private func slice(_ z: Int, _ columns: Int) -> [Float] {
    (0..<columns * columns).map { Float(z * 100 + $0 * 7 % 41) }
  }

  /// Writes slices as they come, until one fails `isWanted`; whether all were.
  private func write(
    _ slices: Int, _ columns: Int, version: OMEZarrVersion = .v05, until end: Int? = nil, seed: Int = 0
  ) throws {
    let volume = try ZarrVolume(
      path: path, slices: slices, columns: columns, depth: 4, edge: 8, version: version,
      attributes: ["rotation_axis": "31.25"])
    for z in 0..<(end ?? slices) {
      try slice(z + seed, columns).withUnsafeBufferPointer { try volume.add(slice: $0) }
    }
    if end == nil { try volume.finish() }
  }

  /// The values of a chunk.
  private func chunk(_ name: String) throws -> [Float] {
    let frame = try Data(contentsOf: URL(filePath: "\(path)/\(name)"))
    var values = [Float](repeating: .nan, count: 4 * 8 * 8)
    let count = frame.withUnsafeBytes { frame in
      values.withUnsafeMutableBytes { ZSTD_decompress($0.baseAddress, $0.count, frame.baseAddress, frame.count) }
    }
    try #require(count > 0 && count <= values.count * 4 && count % 256 == 0)
    return values
  }

  private func json(_ name: String) throws -> NSDictionary {
    try #require(
      JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: "\(path)/\(name)"))) as? NSDictionary)
  }

  @Test(arguments: OMEZarrVersion.allCases) func `Each level has the means of blocks of the one before`(
    version: OMEZarrVersion
  ) throws {
    try write(6, 20, version: version)
    let prefix = version == .v05 ? "c/" : ""
    // The chunk at the end of all axes: two slices, four rows, four columns, zeros elsewhere.
    let last = try chunk("0/\(prefix)1/2/2")
    for (z, y, x) in [(0, 0, 0), (1, 3, 3), (0, 2, 1)] {
      #expect(last[(z * 8 + y) * 8 + x] == slice(4 + z, 20)[(16 + y) * 20 + 16 + x])
    }
    #expect(last[4] == 0 && last[4 * 8] == 0 && last[2 * 64] == 0)
    let half = try chunk("1/\(prefix)0/0/0")
    for (z, y, x) in [(0, 0, 0), (2, 7, 7), (1, 3, 5)] {
      let block = (0..<2).flatMap { dz in
        (0..<4).map { slice(2 * z + dz, 20)[(2 * y + $0 / 2) * 20 + 2 * x + $0 % 2] }
      }
      #expect(half[(z * 8 + y) * 8 + x] == block.reduce(0, +) / 8)
    }
    let array = try json(version == .v05 ? "1/zarr.json" : "1/.zarray")
    #expect(array["shape"] as? [Int] == [3, 10, 10])
    let coarse = try json(version == .v05 ? "2/zarr.json" : "2/.zarray")
    #expect(coarse["shape"] as? [Int] == [2, 5, 5])
    #expect(try !folder.names(in: "volume.zarr").contains("3"))
  }

  @Test func `A block at an edge is the mean of the voxels that there are`() throws {
    try write(3, 9)
    let half = try chunk("1/c/0/0/0")
    // Alone along all axes, and in a row of two.
    #expect(half[(1 * 8 + 4) * 8 + 4] == slice(2, 9)[80])
    #expect(half[(1 * 8 + 4) * 8 + 3] == (slice(2, 9)[78] + slice(2, 9)[79]) / 2)
  }

  @Test func `A path may be relative to the present folder`() throws {
    let up = String(repeating: "../", count: FileManager.default.currentDirectoryPath.split(separator: "/").count)
    let volume = try ZarrVolume(path: up + path.dropFirst(), slices: 1, columns: 2, depth: 4, version: .v05)
    try [Float](repeating: 1, count: 4).withUnsafeBufferPointer { try volume.add(slice: $0) }
    try volume.finish()
    #expect(try folder.names() == ["volume.zarr"])
  }

  @Test func `A single slice keeps its depth`() throws {
    try write(1, 16)
    #expect(try json("1/zarr.json")["shape"] as? [Int] == [1, 8, 8])
    let ome = try #require((try json("zarr.json")["attributes"] as? NSDictionary)?["ome"] as? NSDictionary)
    let scales = try #require((ome["multiscales"] as? [NSDictionary])?.first)
    let dataset = try #require((scales["datasets"] as? [NSDictionary])?.last)
    let transforms = try #require(dataset["coordinateTransformations"] as? [NSDictionary])
    #expect(transforms[0]["scale"] as? [Double] == [1, 2, 2])
    #expect(transforms[1]["translation"] as? [Double] == [0, -7, -7])
  }

  @Test func `A volume has its name when it is complete, and what is half-written goes on from there`() throws {
    try write(6, 20, until: 5)
    #expect(try folder.names() == [".slipring-volume.zarr.partial"])
    let chunk = folder.file(".slipring-volume.zarr.partial/0/c/0/0/0")
    let number = try FileManager.default.attributesOfItem(atPath: chunk)[.systemFileNumber] as? Int
    let time = try FileManager.default.attributesOfItem(atPath: chunk)[.modificationDate] as? Date
    try write(6, 20)
    #expect(try folder.names() == ["volume.zarr"] && !folder.names(in: "volume.zarr").contains(".done"))
    let kept = try FileManager.default.attributesOfItem(atPath: "\(path)/0/c/0/0/0")
    // It was not written again.
    #expect(kept[.systemFileNumber] as? Int == number && kept[.modificationDate] as? Date == time)
    try expectHolds(6, 20)
  }

  @Test func `What is left of another volume is written anew, slab by slab or all of it`() throws {
    try write(6, 20, until: 5)
    try write(6, 20, seed: 1)
    try expectHolds(6, 20, seed: 1)
    try write(6, 20, version: .v04, until: 5)
    try write(5, 12)
    try expectHolds(5, 12)
    #expect(try folder.names() == ["volume.zarr"])
    #expect(!FileManager.default.fileExists(atPath: "\(path)/0/c/1/2"))
  }

  private func expectHolds(_ slices: Int, _ columns: Int, seed: Int = 0) throws {
    let check = ZarrVolume(checking: path, slices: slices, columns: columns, depth: 4, edge: 8, version: .v05)
    for z in 0..<slices { try slice(z + seed, columns).withUnsafeBufferPointer { try check.add(slice: $0) } }
    try check.finish()
  }

  @Test func `A chunk that is not what was written is found when it is read back`() throws {
    try write(6, 20)
    try expectHolds(6, 20)
    let name = URL(filePath: "\(path)/1/c/0/1/0")
    var bytes = try Data(contentsOf: name)
    bytes[bytes.count / 2] ^= 1
    try bytes.write(to: name)
    expectFailure(65, "1/c/0/1/0", "not what was written") { try expectHolds(6, 20) }
    try FileManager.default.removeItem(at: name)
    expectFailure(66, "1/c/0/1/0") { try expectHolds(6, 20) }
  }

  @Test func `A file in its place is left alone, and abandoning leaves nothing`() throws {
    try writeFileAtomically(path: path, text: "mine")
    expectFailure(73, "no folder") { try write(6, 20) }
    try FileManager.default.removeItem(atPath: path)
    let volume = try ZarrVolume(path: path, slices: 6, columns: 20, depth: 4, version: .v05)
    volume.abandon()
    #expect(try folder.names() == [])
  }
}
