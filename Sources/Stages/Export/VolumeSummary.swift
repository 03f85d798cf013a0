import Host

/// What a turn over a volume finds out: its checksum, and how often it has which value.
final class VolumeSummary {
  /// Nil where nobody asks for it.
  private(set) var histogram: VoxelHistogram?
  private let scale: Float
  private var digest: SHA256? = SHA256()
  /// Voxels of each part that has a checksum of its own, from top to bottom; none where only the whole has one.
  private let parts: [Int]
  private var part = SHA256()
  /// Voxels that the present part has had.
  private var taken = 0
  /// The checksums of the parts that are complete.
  private(set) var partDigests: [String] = []

  /// Voxels that are scaled at once.
  private static let stride = 4096

  /// Nothing seen yet. Checksums are of voxels in the unit of the files, which `scale` leads to: whoever has a file of
  /// floats can compare it.
  init(histogram: VoxelHistogram?, scale: Float = 1, parts: [Int] = []) {
    (self.histogram, self.scale, self.parts) = (histogram, scale, parts)
  }

  /// Adds the next voxels; one thread at a time.
  func add(_ voxels: UnsafeMutableBufferPointer<Float>) {
    histogram?.add(UnsafeBufferPointer(voxels))
    guard scale != 1 else { return addToDigests(voxels) }
    withUnsafeTemporaryAllocation(of: Float.self, capacity: Self.stride) { scaled in
      for first in Swift.stride(from: 0, to: voxels.count, by: Self.stride) {
        let some = voxels[first..<min(first + Self.stride, voxels.count)]
        for (index, voxel) in some.enumerated() { scaled[index] = voxel * scale }
        addToDigests(UnsafeMutableBufferPointer(rebasing: scaled[..<some.count]))
      }
    }
  }

  private func addToDigests(_ voxels: UnsafeMutableBufferPointer<Float>) {
    digest?.update(UnsafeRawBufferPointer(voxels))
    var rest = voxels[...]
    while !rest.isEmpty, partDigests.count < parts.count {
      let some = rest.prefix(parts[partDigests.count] - taken)
      part.update(UnsafeRawBufferPointer(UnsafeMutableBufferPointer(rebasing: some)))
      (taken, rest) = (taken + some.count, rest.dropFirst(some.count))
      guard taken == parts[partDigests.count] else { return }
      var complete = SHA256()
      swap(&complete, &part)
      partDigests.append(complete.hexDigest())
      taken = 0
    }
  }

  /// The checksum of all voxels; once.
  func takeDigest() -> String {
    guard let digest = digest.take() else { preconditionFailure("a digest is taken twice") }
    return digest.hexDigest()
  }
}
