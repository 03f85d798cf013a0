import Host

/// What a turn over a volume finds out: its checksum, and how often it has which value.
final class VolumeSummary {
  /// Nil where nobody asks for it.
  private(set) var histogram: VoxelHistogram?
  private var digest: SHA256? = SHA256()
  /// Voxels of each part that has a checksum of its own, from top to bottom; none where only the whole has one.
  private let parts: [Int]
  private var part = SHA256()
  /// Voxels that the present part has had.
  private var taken = 0
  /// The checksums of the parts that are complete.
  private(set) var partDigests: [String] = []

  /// Nothing seen yet.
  init(histogram: VoxelHistogram?, parts: [Int] = []) { (self.histogram, self.parts) = (histogram, parts) }

  /// Adds the next voxels; one thread at a time.
  func add(_ voxels: UnsafeMutableBufferPointer<Float>) {
    digest?.update(UnsafeRawBufferPointer(voxels))
    histogram?.add(UnsafeBufferPointer(voxels))
    addToParts(voxels)
  }

  private func addToParts(_ voxels: UnsafeMutableBufferPointer<Float>) {
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
