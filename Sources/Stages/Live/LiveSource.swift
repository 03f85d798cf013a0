import Glibc
import Host
import KernelTypes
package import RunModel

/// What a stage beside the run reads: the run's volume, or what another one writes. It works on a copy of its own, for
/// which nobody waits.
package final class LiveSource {
  /// Where it comes from.
  package enum Origin {
    /// The workers' volumes, one below the other.
    case workers([VolumeRegion])
    /// What another stage writes.
    case stage(StageVolume)
  }

  /// Slices of the run.
  let slices: Int
  /// Edge of a slice.
  let columns: Int
  private let origin: Origin
  private let buffer: UnsafeMutableRawBufferPointer

  /// Workers publish faster than a few slices are copied only where this process does not get on.
  private static let (attemptsMax, pause) = (200, UInt32(5_000))

  /// Its memory is taken at once.
  package init(_ origin: Origin) {
    self.origin = origin
    let byteCount: Int
    switch origin {
    case .workers(let volumes):
      precondition(!volumes.isEmpty, "a run has a worker")
      (slices, columns) = (volumes.reduce(0) { $0 + $1.layout.rows }, volumes[0].layout.columns)
      byteCount = slices * columns * columns * MemoryLayout<Float>.stride
    case .stage(let volume):
      (slices, columns) = (volume.slices, volume.columns)
      byteCount = slices * columns * columns * volume.pixel.byteCount
    }
    buffer = .allocate(byteCount: byteCount, alignment: 64)
  }

  deinit { buffer.deallocate() }

  /// Whether it has a class for each voxel, and not a number.
  var hasLabels: Bool { if case .stage(let volume) = origin { volume.pixel == .uint8 } else { false } }

  /// The newest generation of each part; 0 where there is nothing yet.
  var newest: [UInt64] {
    switch origin {
    case .workers(let volumes): volumes.map(\.newest.number)
    case .stage(let volume): [volume.newest.number]
    }
  }

  /// Copies the newest volume, slices of a worker in groups of which each is of one generation, of another stage all of
  /// one. Returns the oldest generation.
  func take(beat: () -> Void) throws -> UInt64 {
    switch origin {
    case .workers(let volumes):
      var (oldest, first) = (UInt64.max, 0)
      for volume in volumes {
        oldest = min(oldest, try take(volume, from: first, beat: beat))
        first += volume.layout.rows
      }
      return oldest
    case .stage(let volume):
      for _ in 0..<Self.attemptsMax {
        let generation = volume.newest
        guard generation.number > 0 else { throw StageError.lost("the stage that is read has made nothing") }
        buffer.copyMemory(
          from: UnsafeRawBufferPointer(start: volume.slice(0, of: generation), count: buffer.count))
        if volume.isCurrent(generation) { return generation.number }
        beat()
        usleep(Self.pause)
      }
      throw StageError.stalled("what is read changed \(Self.attemptsMax) times faster than it can be copied")
    }
  }

  private func take(_ volume: VolumeRegion, from first: Int, beat: () -> Void) throws -> UInt64 {
    let layout = volume.layout, group = slicesOfGroup(columns: columns)
    var oldest = UInt64.max
    for block in 0..<layout.blockCount {
      let rows = layout.rows(of: block..<block + 1)
      for row in stride(from: rows.lowerBound, to: rows.upperBound, by: group) {
        let rows = row..<min(row + group, rows.upperBound)
        let target = UnsafeMutableBufferPointer(rebasing: floats[slice(first + rows.lowerBound, rows.count)])
        var generation: UInt64?
        for attempt in 0..<Self.attemptsMax where generation == nil {
          if attempt > 0 { usleep(Self.pause) }
          generation =
            volume.withNewest {
              volume.slices(of: $0).copySlices(rows: rows, lines: 0..<layout.columns, into: target)
            }?.generation
        }
        guard let generation else {
          throw StageError.stalled("the volume changed \(Self.attemptsMax) times faster than it can be copied")
        }
        oldest = min(oldest, generation)
        beat()
      }
    }
    return oldest
  }

  private func slice(_ first: Int, _ count: Int) -> Range<Int> {
    first * columns * columns..<(first + count) * columns * columns
  }

  // Sound: the buffer is this object's, and has a Float for each voxel where there are no labels.
  private var floats: UnsafeMutableBufferPointer<Float> { buffer.bindMemory(to: Float.self) }

  /// What was taken of these slices; there are no labels.
  func voxels(_ slices: Range<Int>) -> UnsafeBufferPointer<Float> {
    precondition(!hasLabels, "labels are no numbers")
    return UnsafeBufferPointer(rebasing: floats[slice(slices.lowerBound, slices.count)])
  }

  /// What was taken of a slice's labels.
  func labels(_ index: Int) -> UnsafeBufferPointer<UInt8> {
    precondition(hasLabels, "numbers are no labels")
    return UnsafeBufferPointer(rebasing: UnsafeBufferPointer(buffer.bindMemory(to: UInt8.self))[slice(index, 1)])
  }
}
