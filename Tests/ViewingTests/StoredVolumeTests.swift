import Foundation
import Host
import KernelTypes
import ScanFiles
import Testing
import Viewing

@Suite struct StoredVolumeTests {
  @Test("Cuts of a file are those of its volume, in all directions; the file says how large a voxel is")
  func cuts() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "stored-\(getpid())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appending(path: "volume.h5").path
    var about = VolumeDescription()
    about.voxelSizeMillimetres = 0.00065
    let writer = try VolumeHDF5Writer(
      path: path, slices: 3, columns: 40, attributes: ["units": "1/mm"], about: about)
    let voxel = { (z: Int, y: Int, x: Int) in Float(z * 10_000 + y * 100 + x) }
    for z in 0..<3 {
      let slice = (0..<40).flatMap { y in (0..<40).map { voxel(z, y, $0) } }
      try slice.withUnsafeBufferPointer { try writer.write(slice: $0, at: z) }
    }
    try writer.finish()
    let volume = try StoredVolume(path: path)
    #expect(volume.slices == 3 && volume.columns == 40 && volume.unit == "1/mm" && volume.name == "volume.h5")
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
}
