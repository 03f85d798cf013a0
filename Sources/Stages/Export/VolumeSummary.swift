import Host

/// What a turn over a volume finds out: its checksum, and the range of its voxels.
final class VolumeSummary {
  private var digest: SHA256? = SHA256()
  /// Of each slice.
  private let ranges: UnsafeMutableBufferPointer<VoxelRange>

  /// Nothing seen yet of so many slices.
  init(slices: Int) {
    ranges = .allocate(capacity: slices)
    ranges.initialize(repeating: VoxelRange())
  }

  deinit { ranges.deallocate() }

  /// Adds the next voxels to the checksum; one thread at a time.
  func add(_ voxels: UnsafeMutableBufferPointer<Float>) { digest?.update(UnsafeRawBufferPointer(voxels)) }

  /// Looks for the range of slice `index`; slices may be looked at by several threads.
  func look(_ index: Int, _ voxels: UnsafeMutableBufferPointer<Float>) { ranges[index].widen(by: voxels) }

  /// Of all slices that were looked at.
  var range: VoxelRange { ranges.reduce(into: VoxelRange()) { $0.widen(by: $1) } }

  /// The checksum of all voxels; once.
  func takeDigest() -> String {
    guard let digest = digest.take() else { preconditionFailure("a digest is taken twice") }
    return digest.hexDigest()
  }
}

/// The least and the greatest of some voxels.
struct VoxelRange {
  private(set) var low = Float.infinity, high = -Float.infinity

  /// What is no number, in rows that are missing, widens nothing.
  mutating func widen(by voxels: UnsafeMutableBufferPointer<Float>) {
    (low, high) = voxels.reduce((low, high)) { ($1 < $0.0 ? $1 : $0.0, $1 > $0.1 ? $1 : $0.1) }
  }

  mutating func widen(by other: VoxelRange) { (low, high) = (min(low, other.low), max(high, other.high)) }
}
