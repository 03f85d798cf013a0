import Host

/// What a turn over a volume finds out: its checksum, and how often it has which value.
final class VolumeSummary {
  /// Nil where nobody asks for it.
  private(set) var histogram: VoxelHistogram?
  private var digest: SHA256? = SHA256()

  /// Nothing seen yet.
  init(histogram: VoxelHistogram?) { self.histogram = histogram }

  /// Adds the next voxels; one thread at a time.
  func add(_ voxels: UnsafeMutableBufferPointer<Float>) {
    digest?.update(UnsafeRawBufferPointer(voxels))
    histogram?.add(UnsafeBufferPointer(voxels))
  }

  /// The checksum of all voxels; once.
  func takeDigest() -> String {
    guard let digest = digest.take() else { preconditionFailure("a digest is taken twice") }
    return digest.hexDigest()
  }
}
