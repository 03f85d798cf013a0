import CVector
import KernelTypes

// A tile's voxels in fixed point, and what rays of one kind meet of them in a stripe of a band: beside each voxel
// stands its neighbour along the minor axis. Zeros stand outside the slice.
//
//   voxels  [row][column][plane]    16-bit numbers, those of lanes 16 … 31 in the high halves of lanes 0 … 15
//   words   [step][minor][lane]     voxel x, voxel x + 1

/// Voxels beside a tile that a ray can meet: it belongs to the tile of its middle in a band, drifts a voxel a step at
/// most, and meets a voxel and the next.
let fixedReach = bandSteps / 2
/// Voxels outside the slice where rays begin that meet it.
let fixedOutside = fixedReach + 1
/// Voxels of a row of a tile and those beside it; odd, so that rows do not fall on the same cache sets.
let fixedEdge = Tile.edge + 2 * fixedReach + 1
/// Voxels along the minor axis that all angles of a group finish before the next ones. A stripe's rays are computed two
/// by two from its first on, and the second's position is rounded from the first's: with other stripes a few weights
/// would be rounded otherwise.
let fixedStripe = 16
/// Words of a step in a stripe; odd.
let fixedPitch = (fixedStripe + 2 * fixedReach + 2) | 1

/// Bytes of a tile's voxels, and of a stripe's words.
let fixedVoxelsByteCount = (fixedEdge * fixedEdge * 2 * max(32, forwardPlaneLanes) + 63) & ~63
let fixedWordsByteCount = bandSteps * fixedPitch * forwardPlaneLanes * 4

/// A plane of a tile.
struct FixedVolume {
  let volume: UnsafeRawPointer
  let shape: KernelShape
  let scales: FixedScales
  /// `fixedVoxelsByteCount` bytes, and `fixedWordsByteCount`.
  let voxels: UnsafeMutableRawPointer, words: UnsafeMutableRawPointer

  /// Bytes of a voxel in a plane of so many lanes.
  @inline(__always) static func voxelByteCount(_ lanes: Int) -> Int { max(64, 2 * lanes) }

  /// Converts a tile and the voxels beside it. With `peaks`, one for each lane, the magnitudes of the tile's voxels are
  /// taken into them, and those that do not fit are counted.
  func fill(column: Int, row: Int, plane: (lane: Int, lanes: Int), peaks: UnsafeMutablePointer<Float>?) -> Int {
    let columns = shape.columns, end = Tile.edge + fixedReach + 1
    let width = min(Tile.edge, columns - column), size = Self.voxelByteCount(plane.lanes)
    let left = max(-fixedReach, -column), right = min(end, columns - column)
    let top = max(-fixedReach, -row), bottom = min(end, columns - row)
    if left > -fixedReach || right < end || top > -fixedReach || bottom < end {
      voxels.initializeMemory(as: UInt8.self, repeating: 0, count: fixedEdge * fixedEdge * size)
    }
    var count = 0
    for lane in stride(from: plane.lane, to: plane.lane + plane.lanes, by: 32) {
      var piece = FixedPiece(
        scales: scales.steps + lane, lanes: shape.lanes, isWide: plane.lanes > 16, voxelByteCount: size)
      for line in top..<bottom {
        let isInside = (0..<Tile.edge).contains(line)
        let source = volume + ((row + line) * shape.volumePitch + column) * shape.pixelByteCount + 4 * lane
        let target =
          voxels + ((line + fixedReach) * fixedEdge + fixedReach) * size + 2 * (lane - plane.lane)
        if isInside {
          piece.convert(source, target, left..<0, notes: false)
          piece.convert(source, target, 0..<width, notes: true)
          piece.convert(source, target, width..<right, notes: false)
        } else {
          piece.convert(source, target, 0..<width, notes: false)
        }
      }
      guard let peaks else { continue }
      count += piece.note(peaks + lane) {
        countVoxels(
          columns: column..<column + width, rows: row..<row + min(Tile.edge, columns - row), lane: lane + $0)
      }
    }
    return count
  }

  /// The words of `count` voxels from `first` on along the minor axis, at the step `major`; both count from the tile.
  @inline(__always) func makeWords<Lanes: PairLanes>(
    first: Int, count: Int, major: Int, isSwapped: Bool, to words: UnsafeMutableRawPointer, _: Lanes.Type
  ) {
    let size = Lanes.voxelByteCount, neighbour = isSwapped ? fixedEdge * size : size
    let start = isSwapped ? size : fixedEdge * size
    var voxel = UnsafeRawPointer(voxels + (major + fixedReach) * start + (first + fixedReach) * neighbour)
    var word = words
    for place in first..<first + count {
      if place >= -fixedReach && place < Tile.edge + fixedReach {
        Lanes.storeWord(voxel, voxel + neighbour, word)
      } else {
        word.initializeMemory(as: UInt8.self, repeating: 0, count: Lanes.byteCount)
      }
      voxel += neighbour
      word += Lanes.byteCount
    }
  }

  /// Voxels that are beyond the limit in one of 16 lanes.
  private func countVoxels(columns: Range<Int>, rows: Range<Int>, lane: Int) -> Int {
    var count = 0
    for row in rows {
      let line = (volume + row * shape.volumePitch * shape.pixelByteCount + 4 * lane).assumingMemoryBound(
        to: Float.self)
      for column in columns {
        for index in 0..<min(16, shape.lanes)
        where !(abs(line[column * shape.lanes + index] * scales.steps[lane + index]) <= fixedLimit) { count += 1 }
      }
    }
    return count
  }
}

/// 32 lanes of a tile, or 16 and zeros.
private struct FixedPiece {
  let first: SIMD16<Float>, second: SIMD16<Float>
  /// Of the block.
  let lanes: Int
  let isWide: Bool
  let voxelByteCount: Int
  var peaks = SIMD16<Int32>(), otherPeaks = SIMD16<Int32>()

  init(scales: UnsafePointer<Float>, lanes: Int, isWide: Bool, voxelByteCount: Int) {
    first = vector(scales)
    second = isWide ? vector(scales + 16) : SIMD16()
    self.lanes = lanes
    self.isWide = isWide
    self.voxelByteCount = voxelByteCount
  }

  /// Converts voxels of a row.
  @inline(__always) mutating func convert(
    _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, _ columns: Range<Int>, notes: Bool
  ) {
    let pixel = 4 * lanes
    var address = source + columns.lowerBound * pixel, voxel = target + columns.lowerBound * voxelByteCount
    for _ in columns {
      let low = sixteen(address, of: lanes)
      if notes { peaks = cvector_larger_magnitudes(peaks, low) }
      var high = SIMD16<Int32>()
      if isWide {
        let values: SIMD16<Float> = vector(address + 64)
        if notes { otherPeaks = cvector_larger_magnitudes(otherPeaks, values) }
        high = cvector_quantised(values, second)
      }
      voxel.storeBytes(of: cvector_side_by_side(cvector_quantised(low, first), high), as: SIMD16<Int32>.self)
      address += pixel
      voxel += voxelByteCount
    }
  }

  /// Takes the peaks into those of the volume, and counts where one of sixteen is beyond the limit.
  func note(_ volumePeaks: UnsafeMutablePointer<Float>, count: (_ lane: Int) -> Int) -> Int {
    var misfits = 0
    for half in 0..<(isWide ? 2 : 1) {
      let peaks = unsafeBitCast(half == 0 ? peaks : otherPeaks, to: SIMD16<Float>.self)
      let scales = half == 0 ? first : second
      var fits = true
      for lane in 0..<16 {
        let noted = volumePeaks + (16 * half + lane)
        if peaks[lane].bitPattern > noted.pointee.bitPattern { noted.pointee = peaks[lane] }
        fits = fits && peaks[lane] * scales[lane] <= fixedLimit
      }
      if !fits { misfits += count(16 * half) }
    }
    return misfits
  }
}
