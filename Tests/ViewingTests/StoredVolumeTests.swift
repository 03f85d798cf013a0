import Foundation
import Host
import KernelTypes
import ScanFiles
import Testing
import Viewing

@Suite final class StoredVolumeTests {
  private let folder = FileManager.default.temporaryDirectory.appending(path: "stored-\(UUID().uuidString)")

  init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }

  deinit { try? FileManager.default.removeItem(at: folder) }

  private func voxel(_ z: Int, _ y: Int, _ x: Int) -> Float { Float(z * 10_000 + y * 100 + x) }

  /// Writes a volume; gives where it is.
  private func write() throws -> String {
    let path = folder.appending(path: "volume.h5").path
    var about = VolumeDescription()
    about.voxelSizeMillimetres = 0.00065
    let writer = try VolumeHDF5Writer(
      path: path, slices: 3, columns: 40, attributes: ["units": "1/mm"], about: about)
    for z in 0..<3 {
      let slice = (0..<40).flatMap { y in (0..<40).map { voxel(z, y, $0) } }
      try slice.withUnsafeBufferPointer { try writer.write(slice: $0, at: z) }
    }
    try writer.finish()
    return path
  }

  /// Writes the same volume as Zarr.
  private func writeZarr() throws -> String {
    let path = folder.appending(path: "volume.zarr").path
    var about = VolumeDescription()
    about.voxelSizeMillimetres = 0.00065
    let writer = try ZarrVolume(
      path: path, slices: 3, columns: 40, depth: 2, edge: 16, version: .v05, attributes: ["units": "1/mm"],
      about: about)
    for z in 0..<3 {
      let slice = (0..<40).flatMap { y in (0..<40).map { voxel(z, y, $0) } }
      try slice.withUnsafeBufferPointer { try writer.add(slice: $0) }
    }
    try writer.finish()
    return path
  }

  @Test(
    "Cuts of a file are those of its volume, in all directions; the file says how large a voxel is",
    arguments: ["volume.h5", "volume.zarr"])
  func cuts(name: String) throws {
    let path = try name == "volume.h5" ? write() : writeZarr()
    let volume = try StoredVolume(path: path)
    #expect(volume.slices == 3 && volume.columns == 40 && volume.unit == "1/mm" && volume.name == name)
    #expect(abs((volume.voxelSizeMillimetres ?? 0) - 0.00065) < 1e-12)
    let (z, y, x) = (
      try volume.plane(.z, at: 2, edgeMax: 40), try volume.plane(.y, at: 7, edgeMax: 40),
      try volume.plane(.x, at: 11, edgeMax: 40)
    )
    #expect(z.values == (0..<40).flatMap { line in (0..<40).map { voxel(2, line, $0) } })
    #expect(y.rows == 3 && y.values == (0..<3).flatMap { line in (0..<40).map { voxel(line, 7, $0) } })
    #expect(x.columns == 3 && x.values == (0..<40).flatMap { line in (0..<3).map { voxel($0, line, 11) } })
    let thin = try volume.plane(.z, at: 0, edgeMax: 16)
    #expect(thin.columns == 13 && thin.values.first == voxel(0, 1, 1))
    #expect(throws: FileError.self) { try StoredVolume(path: path + ".not") }
  }

  @Test("A file that is cut short is refused with its words, also where that happens while it is open")
  func truncation() throws {
    let path = try write()
    let volume = try StoredVolume(path: path)
    #expect(try volume.plane(.z, at: 0, edgeMax: 40).values.first == voxel(0, 0, 0))
    let size = try #require(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
    try #require(truncate(path, size / 2) == 0)
    for axis in CutAxis.allCases {
      do throws(PlaneMissing) {
        _ = try volume.plane(axis, at: 1, edgeMax: 40)
        Issue.record("a cut along \(axis) of what is not there")
      } catch {
        guard case .unreadable(let words) = error else {
          Issue.record("\(error)")
          continue
        }
        #expect(words.contains("\(path): it is cut short"), "\(words)")
      }
    }
    do throws(FileError) {
      _ = try StoredVolume(path: path)
      Issue.record("it was opened")
    } catch { #expect(error.description.contains("cut short"), "\(error)") }
  }

  @Test("A chunk of Zarr that is missing is told; the others are shown")
  func missingChunk() throws {
    let path = try writeZarr()
    let volume = try StoredVolume(path: path)
    try FileManager.default.removeItem(atPath: "\(path)/0/c/0/1/1")
    do throws(PlaneMissing) {
      _ = try volume.plane(.z, at: 1, edgeMax: 40)
      Issue.record("a cut of what is not there")
    } catch {
      guard case .unreadable(let words) = error else {
        Issue.record("\(error)")
        return
      }
      #expect(words.contains("\(path)/0/c/0/1/1"), "\(words)")
    }
    #expect(try volume.plane(.z, at: 2, edgeMax: 40).values.last == voxel(2, 39, 39))
    #expect(StoredVolume.identity(ofFile: path) == volume.identity)
    try FileManager.default.removeItem(atPath: path)
    #expect(StoredVolume.identity(ofFile: path) != volume.identity)
  }

  @Test("A file that is replaced is there as long as it is open")
  func replacement() throws {
    let path = try write()
    let volume = try StoredVolume(path: path)
    try Data([1]).write(to: folder.appending(path: "other"))
    try #require(rename(folder.appending(path: "other").path, path) == 0)
    #expect(try volume.plane(.z, at: 2, edgeMax: 40).values.last == voxel(2, 39, 39))
  }
}
