import KernelTypes
import RunModel

/// Slices to be written, one below the other.
protocol SliceSource {
  /// Slices.
  var count: Int { get }
  /// Edge of a slice.
  var columns: Int { get }
  /// All slices, from top to bottom, in groups that lie together in memory.
  var groups: [Range<Int>] { get }
  /// Copies `lines` of a group, or of part of one: slices one behind the other, each columns × columns, row 0 on top.
  func copy(_ slices: Range<Int>, lines: Range<Int>, into target: UnsafeMutableBufferPointer<Float>)
}

extension SliceSource {
  /// Copies a group, or part of one.
  func copy(_ slices: Range<Int>, into target: UnsafeMutableBufferPointer<Float>) {
    copy(slices, lines: 0..<columns, into: target)
  }

  /// Voxels of the largest group.
  var groupVoxelsMax: Int { (groups.map(\.count).max() ?? 0) * columns * columns }
}

/// The most slices of a group: what a line of the cache holds of each pixel, or fewer where they are very large.
package func slicesOfGroup(columns: Int) -> Int {
  let byteCountMax = 256 << 20
  return max(1, min(16, byteCountMax / (columns * columns * MemoryLayout<Float>.stride)))
}

/// The finished volume: what each worker has, one below the other, and no number in the rows of those who are missing.
struct VolumeSource: SliceSource {
  /// Slices of those who are missing, from the top.
  let missingRows: [Range<Int>]
  private let parts: [GenerationSlices]
  private let owners: [(part: Int, row: Int)]
  /// What the pointers point into.
  private let regions: [VolumeRegion]
  /// Edge of a slice.
  let columns: Int
  var count: Int { owners.count }

  /// The newest generations of all workers but those whose numbers are in `missing`.
  init(volumes: [VolumeRegion], missing: [Int] = []) {
    self.init(parts: volumes.map { $0.slices(of: $0.newest) }, regions: volumes, missing: missing)
  }

  /// Volumes that are valid as long as this value is used.
  init(parts: [GenerationSlices], regions: [VolumeRegion] = [], missing: [Int] = []) {
    self.parts = parts
    self.regions = regions
    missingRows = missing.map { part in
      let first = parts[..<part].reduce(0) { $0 + $1.layout.rows }
      return first..<first + parts[part].layout.rows
    }
    owners = parts.indices.flatMap { part in (0..<parts[part].layout.rows).map { (part, $0) } }
    columns = parts[0].layout.columns
  }

  /// Throws where generations that were the newest ones are not what their workers wrote, but for those of `missing`.
  static func check(
    _ volumes: [VolumeRegion], _ generations: [VolumeRegion.Generation], without missing: [Int] = []
  ) throws(StageError) {
    for (worker, (volume, generation)) in zip(volumes, generations).enumerated()
    where !missing.contains(worker) && !volume.isWhole(generation) {
      throw .damaged("generation \(generation.number) of volume.\(worker) in shared memory")
    }
  }

  var groups: [Range<Int>] {
    var (groups, first): ([Range<Int>], Int) = ([], 0)
    for layout in parts.map(\.layout) {
      for block in 0..<layout.blockCount {
        let rows = layout.rows(of: block..<block + 1)
        for row in stride(from: rows.lowerBound, to: rows.upperBound, by: slicesOfGroup(columns: columns)) {
          groups.append(first + row..<first + min(row + slicesOfGroup(columns: columns), rows.upperBound))
        }
      }
      first += layout.rows
    }
    return groups
  }

  /// Copies one slice, columns × columns, row 0 on top.
  func copy(_ index: Int, into slice: UnsafeMutableBufferPointer<Float>) {
    if missingRows.contains(where: { $0.contains(index) }) { return slice.update(repeating: .nan) }
    let (part, row) = owners[index]
    parts[part].copySlice(row: row, into: slice)
  }

  func copy(_ slices: Range<Int>, lines: Range<Int>, into target: UnsafeMutableBufferPointer<Float>) {
    // A group lies in one part.
    if missingRows.contains(where: { $0.overlaps(slices) }) {
      for slice in 0..<slices.count {
        let first = (slice * columns + lines.lowerBound) * columns
        (target.baseAddress! + first).update(repeating: .nan, count: lines.count * columns)
      }
      return
    }
    let (part, row) = owners[slices.lowerBound]
    parts[part].copySlices(rows: row..<row + slices.count, lines: lines, into: target)
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

  var groups: [Range<Int>] {
    stride(from: 0, to: count, by: slicesOfGroup(columns: columns)).map {
      $0..<min($0 + slicesOfGroup(columns: columns), count)
    }
  }

  func copy(_ slices: Range<Int>, lines: Range<Int>, into target: UnsafeMutableBufferPointer<Float>) {
    let pixels = columns * columns, first = lines.lowerBound * columns
    precondition(
      target.count == pixels * slices.count, "\(slices) have \(pixels * slices.count) voxels, not \(target.count)")
    for (number, slice) in slices.enumerated() {
      (target.baseAddress! + number * pixels + first)
        .update(from: volume.slice(slice) + first, count: lines.count * columns)
    }
  }
}
