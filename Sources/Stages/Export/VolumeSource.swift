import Tomography
import Topics

/// The finished volume: the newest generations of all workers, one below the other.
struct VolumeSource {
  private let volumes: [VolumeRegion]
  private let generations: [VolumeRegion.Generation]
  private let owners: [(volume: Int, row: Int)]
  /// Edge of a slice.
  let columns: Int

  /// Slices.
  var count: Int { owners.count }

  init(volumes: [VolumeRegion]) {
    self.volumes = volumes
    generations = volumes.map(\.newest)
    owners = volumes.indices.flatMap { volume in (0..<volumes[volume].layout.rows).map { (volume, $0) } }
    columns = volumes[0].layout.columns
  }

  /// Copies slice `index`, columns × columns, row 0 on top.
  func copy(_ index: Int, into slice: UnsafeMutableBufferPointer<Float>) {
    let (volume, row) = owners[index]
    volumes[volume].layout.copySlice(row: row, from: generations[volume].base, into: slice)
  }
}
