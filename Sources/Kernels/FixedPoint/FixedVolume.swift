import CVector
import KernelTypes

// A tile's voxels in fixed point, as rays of one kind run: a step of the major axis is a row, and beside each voxel
// stands its neighbour along the minor axis. Zeros stand outside the slice.
//
//   word of column x, row m   voxel x, voxel x + 1   of `lanes` slices, a plane

/// Voxels beside a tile that a ray can meet: it belongs to the tile of its middle in a band, drifts a voxel a step at
/// most, and meets a voxel and the next.
let fixedReach = bandSteps / 2
/// Voxels outside the slice where rays begin that meet it.
let fixedOutside = fixedReach + 1
/// Words left of the tile.
let fixedMargin = fixedReach + fixedOutside + 1
/// Words of a row; odd, so that rows do not fall on the same cache sets.
let fixedPitch = Tile.edge + 2 * fixedMargin - 1
/// Bytes of a tile in fixed point.
let fixedVolumeByteCount = Tile.edge * fixedPitch * forwardPlaneLanes * 4
/// Voxels of a row that are converted together where they do not lie one behind the other.
private let run = 8

/// A tile of a plane.
struct FixedVolume {
  let volume: UnsafeRawPointer
  let shape: KernelShape
  let scales: FixedScales
  /// `fixedVolumeByteCount` bytes.
  let words: UnsafeMutableRawPointer

  /// Converts `steps` steps of the major axis from `major` on, for the tile that begins at `minor`. With `peaks`, one
  /// for each lane, the magnitudes of what is converted are taken into them, and the tile's voxels that do not fit are
  /// counted.
  func fill(
    minor: Int, major: Int, steps: Int, isSwapped: Bool, plane: (lane: Int, lanes: Int),
    peaks: UnsafeMutablePointer<Float>?
  ) -> Int {
    let columns = shape.columns, length = min(steps, columns - major)
    let first = max(0, minor - fixedReach), last = min(columns - 1, minor + Tile.edge + fixedReach)
    if first > minor - fixedReach || last < minor + Tile.edge + fixedReach || length < steps {
      words.initializeMemory(as: UInt8.self, repeating: 0, count: steps * fixedPitch * plane.lanes * 4)
    }
    var count = 0, lane = plane.lane
    while lane < plane.lane + plane.lanes {
      var piece = FixedPiece(
        source: volume + 4 * lane, words: words + 4 * (lane - plane.lane), word: 4 * plane.lanes,
        scales: vector(scales.steps + lane), lanes: shape.lanes)
      if isSwapped {
        fillColumns(&piece, minor: minor, major: major, first: first, last: last, length: length)
      } else {
        for step in 0..<length {
          piece.convert(
            from: ((major + step) * shape.volumePitch + first) * shape.pixelByteCount, stride: shape.pixelByteCount,
            count: last - first + 1, to: step * fixedPitch + first - minor + fixedMargin, follows: false, ends: true)
        }
      }
      if let peaks {
        let across = minor..<min(minor + Tile.edge, columns), along = major..<major + length
        count += piece.note(peaks + lane) {
          countVoxels(columns: isSwapped ? along : across, rows: isSwapped ? across : along, lane: lane)
        }
      }
      lane += 16
    }
    return count
  }

  /// Rows of the slice are the minor axis: a few of them are read together, from left to right.
  @inline(__always) private func fillColumns(
    _ piece: inout FixedPiece, minor: Int, major: Int, first: Int, last: Int, length: Int
  ) {
    var start = first
    while start <= last {
      let count = min(run, last + 1 - start)
      for step in 0..<length {
        piece.convert(
          from: (start * shape.volumePitch + major + step) * shape.pixelByteCount,
          stride: shape.volumePitch * shape.pixelByteCount, count: count,
          to: step * fixedPitch + start - minor + fixedMargin, follows: start > first, ends: start + count > last)
      }
      start += count
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

/// Sixteen lanes of a tile.
private struct FixedPiece {
  let source: UnsafeRawPointer
  let words: UnsafeMutableRawPointer
  /// Bytes from a word to the next.
  let word: Int
  let scales: SIMD16<Float>
  /// Of the block.
  let lanes: Int
  var peaks = SIMD16<Int32>()

  init(
    source: UnsafeRawPointer, words: UnsafeMutableRawPointer, word: Int, scales: SIMD16<Float>, lanes: Int
  ) {
    self.source = source
    self.words = words
    self.word = word
    self.scales = scales
    self.lanes = lanes
  }

  /// Converts voxels along the minor axis, the first to word `place`. It is also the second half of the word before,
  /// whose first half is a zero unless it `follows` another one; where they do not end the line, the last word is left
  /// to those that follow.
  @inline(__always) mutating func convert(
    from offset: Int, stride: Int, count: Int, to place: Int, follows: Bool, ends: Bool
  ) {
    var address = source + offset, target = words + (place - 1) * word
    var before = follows ? cvector_quantised(sixteen(address - stride, of: lanes), scales) : SIMD16<Int32>()
    for _ in 0..<count {
      let voxels = sixteen(address, of: lanes)
      peaks = cvector_larger_magnitudes(peaks, voxels)
      let next = cvector_quantised(voxels, scales)
      target.storeBytes(of: cvector_side_by_side(before, next), as: SIMD16<Int32>.self)
      before = next
      address += stride
      target += word
    }
    if ends { target.storeBytes(of: cvector_side_by_side(before, SIMD16()), as: SIMD16<Int32>.self) }
  }

  /// Takes the peaks into those of the volume, and counts where one is beyond the limit.
  func note(_ volumePeaks: UnsafeMutablePointer<Float>, count: () -> Int) -> Int {
    let peaks = unsafeBitCast(peaks, to: SIMD16<Float>.self)
    var fits = true
    for lane in 0..<16 {
      if peaks[lane].bitPattern > volumePeaks[lane].bitPattern { volumePeaks[lane] = peaks[lane] }
      fits = fits && peaks[lane] * scales[lane] <= fixedLimit
    }
    return fits ? 0 : count()
  }
}
