import KernelTypes
import RunModel

/// Slices to be written, one below the other.
protocol SliceSource {
  /// Slices.
  var count: Int { get }
  /// Edge of a slice.
  var columns: Int { get }
  /// Copies slice `index`, columns × columns, row 0 on top.
  func copy(_ index: Int, into slice: UnsafeMutableBufferPointer<Float>)
}

/// The finished volume: what each worker has, one below the other.
struct VolumeSource: SliceSource {
  private let parts: [(layout: SliceLayout, base: UnsafeRawPointer)]
  private let owners: [(part: Int, row: Int)]
  /// What the pointers point into.
  private let regions: [VolumeRegion]
  /// Edge of a slice.
  let columns: Int
  var count: Int { owners.count }

  /// The newest generations of all workers.
  init(volumes: [VolumeRegion]) {
    self.init(parts: volumes.map { ($0.layout, $0.newest.base) }, regions: volumes)
  }

  /// Volumes that are valid as long as this value is used.
  init(parts: [(SliceLayout, UnsafeRawPointer)], regions: [VolumeRegion] = []) {
    self.parts = parts.map { (layout: $0.0, base: $0.1) }
    self.regions = regions
    owners = parts.indices.flatMap { part in (0..<parts[part].0.rows).map { (part, $0) } }
    columns = parts[0].0.columns
  }

  func copy(_ index: Int, into slice: UnsafeMutableBufferPointer<Float>) {
    let (part, row) = owners[index]
    parts[part].layout.copySlice(row: row, from: parts[part].base, into: slice)
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
