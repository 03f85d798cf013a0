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

  /// Throws where generations that were the newest ones are not what their workers wrote.
  static func check(_ volumes: [VolumeRegion], _ generations: [VolumeRegion.Generation]) throws(StageError) {
    for (worker, (volume, generation)) in zip(volumes, generations).enumerated()
    where !volume.isWhole(generation) {
      throw .damaged("generation \(generation.number) of volume.\(worker) in shared memory")
    }
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

  /// Throws where the volume is not what the stage denoise wrote.
  static func check(_ volume: DenoisedVolume) throws(StageError) {
    guard volume.isNoiseWhole, volume.wholeSlices == volume.slices else {
      throw .damaged("the denoised volume in shared memory")
    }
  }

  func copy(_ index: Int, into slice: UnsafeMutableBufferPointer<Float>) {
    precondition(slice.count == columns * columns, "a slice has \(columns * columns) voxels, not \(slice.count)")
    slice.baseAddress!.update(from: volume.slice(index), count: slice.count)
  }
}
