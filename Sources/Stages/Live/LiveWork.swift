package import Tomography

/// What Slipring's own program does where `--stage` names one of its works.
package enum LiveWork: Equatable, Sendable {
  /// Frees slices of noise.
  case denoise(Denoising)
  /// Tells voxels below Otsu's threshold from those above, inside a part of the slices' width.
  case segment(within: Double)
  /// Says how much of that part is pores, how many there are, and how large.
  case analyse(within: Double)

  /// As it is written.
  package var word: String {
    switch self {
    case .denoise: "denoise"
    case .segment: "segment"
    case .analyse: "analyse"
    }
  }

  /// Bytes of such a process for so many voxels at its peak.
  package func byteCount(slices: Int, columns: Int, readsLabels: Bool, threads: Int) -> Int {
    let voxels = slices * columns * columns
    let own =
      switch self {
      case .denoise(let method): Denoiser.scratchByteCount(method, columns: columns, threads: threads)
      case .segment: VoxelHistogram.byteCount
      // The histogram, a class for each voxel, and numbers of two slices.
      case .analyse: VoxelHistogram.byteCount + voxels + 8 * columns * columns
      }
    return own + voxels * (readsLabels ? 1 : 4)
  }
}
