import Host
import Testing

@testable import Stages

struct VolumeSummaryTests {
  private func digest(_ voxels: ArraySlice<Float>) -> String {
    var digest = SHA256()
    Array(voxels).withUnsafeBytes { digest.update($0) }
    return digest.hexDigest()
  }

  @Test(arguments: [60, 20, 7, 1])
  func `Parts have checksums of their own, wherever slices are cut into groups`(group: Int) {
    var voxels = (0..<60).map { Float($0) }
    let summary = VolumeSummary(histogram: nil, parts: [20, 20, 15])
    voxels.withUnsafeMutableBufferPointer { buffer in
      for first in stride(from: 0, to: buffer.count, by: group) {
        summary.add(UnsafeMutableBufferPointer(rebasing: buffer[first..<min(first + group, buffer.count)]))
      }
    }
    #expect(summary.partDigests == [digest(voxels[0..<20]), digest(voxels[20..<40]), digest(voxels[40..<55])])
    #expect(summary.takeDigest() == digest(voxels[...]))
  }
}
