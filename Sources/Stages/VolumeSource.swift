import Tomography
import Topics

/// Slices to be written, one below the other.
protocol SliceSource {
  /// Slices.
  var count: Int { get }
  /// Edge of a slice.
  var columns: Int { get }
  /// Copies slice `index`, columns × columns, row 0 on top.
  func copy(_ index: Int, into slice: UnsafeMutableBufferPointer<Float>)
}

/// The finished volume: the newest generations of all workers, one below the other.
struct VolumeSource: SliceSource {
  private let volumes: [VolumeRegion]
  private let generations: [VolumeRegion.Generation]
  private let owners: [(volume: Int, row: Int)]
  let columns: Int
  var count: Int { owners.count }

  init(volumes: [VolumeRegion]) {
    self.volumes = volumes
    generations = volumes.map(\.newest)
    owners = volumes.indices.flatMap { volume in (0..<volumes[volume].layout.rows).map { (volume, $0) } }
    columns = volumes[0].layout.columns
  }

  func copy(_ index: Int, into slice: UnsafeMutableBufferPointer<Float>) {
    let (volume, row) = owners[index]
    volumes[volume].layout.copySlice(row: row, from: generations[volume].base, into: slice)
  }
}

/// The denoised volume, once it is complete.
struct DenoisedSource: SliceSource {
  let volume: DenoisedVolume
  var count: Int { volume.slices }
  var columns: Int { volume.columns }

  func copy(_ index: Int, into slice: UnsafeMutableBufferPointer<Float>) {
    precondition(slice.count == columns * columns, "a slice has \(columns * columns) voxels, not \(slice.count)")
    slice.baseAddress!.update(from: volume.slice(index), count: slice.count)
  }
}
