/// How often the voxels inside the disks of slices have which value: 2²⁰ bins by the upper bits of the number, so that
/// each is 2⁻¹¹ of its value wide. Counts do not depend on the order in which voxels come.
///
/// Only inside: the corners of a slice see few projections, and hold its largest values.
struct VoxelHistogram {
  /// Edge of a slice.
  let columns: Int
  private let disk: SliceDisk
  private var counts = [UInt64](repeating: 0, count: 1 << 20)
  private var count: UInt64 = 0
  private var (low, high) = (Float.infinity, -Float.infinity)

  /// Bits of a number that its bin does not tell.
  private static let bitsBelow: UInt32 = 12

  /// Bytes of the counts.
  static let byteCount = 8 << 20

  /// Of slices with so many columns, inside disks of a part of their width.
  init(columns: Int, within: Double = 1) {
    self.columns = columns
    disk = SliceDisk(columns: columns, within: within)
  }

  /// Counts whole slices. What is no number, as in rows that are missing, counts for nothing.
  mutating func add(_ voxels: UnsafeBufferPointer<Float>) {
    precondition(voxels.count % (columns * columns) == 0, "\(voxels.count) voxels of slices with \(columns) columns")
    for row in 0..<voxels.count / columns {
      let range = disk.range(row: row % columns)
      for voxel in voxels[row * columns + range.lowerBound..<row * columns + range.upperBound] where voxel.isFinite {
        // One zero, and not two.
        counts[Int(Self.key(voxel + 0) >> Self.bitsBelow)] += 1
        count += 1
        if voxel < low { low = voxel }
        if voxel > high { high = voxel }
      }
    }
  }

  /// The value that so many per cent of the voxels do not exceed; 0 where there is none.
  func value(atPercent percent: Double) -> Float {
    guard count > 0 else { return 0 }
    if percent <= 0 { return low }
    if percent >= 100 { return high }
    let rank = percent / 100 * Double(count - 1)
    var below: UInt64 = 0
    for (bin, count) in counts.enumerated() where count > 0 {
      if Double(below + count) > rank {
        let first = UInt32(bin) << Self.bitsBelow, last = first | (1 << Self.bitsBelow - 1)
        let (lower, upper) = (max(Self.value(first), low), min(Self.value(last), high))
        return lower + Float((rank - Double(below)) / Double(count)) * (upper - lower)
      }
      below += count
    }
    return high
  }

  /// Bins that have voxels, in ascending order: the middle of each, and its voxels.
  var bins: [(value: Double, count: UInt64)] {
    counts.enumerated().compactMap { bin, count in
      guard count > 0 else { return nil }
      let first = UInt32(bin) << Self.bitsBelow, last = first | (1 << Self.bitsBelow - 1)
      return ((Double(max(Self.value(first), low)) + Double(min(Self.value(last), high))) / 2, count)
    }
  }

  /// The same in so many bins of equal width between the lowest and the highest value; nil where there is no voxel.
  func binned(_ binsMax: Int) -> VolumeAnalysis.Histogram? {
    guard count > 0 else { return nil }
    let (low, high) = (Double(low), Double(high))
    var wide = [UInt64](repeating: 0, count: high > low ? binsMax : 1)
    for (value, count) in bins {
      let place = high > low ? Int((value - low) / (high - low) * Double(binsMax)) : 0
      wide[min(max(place, 0), wide.count - 1)] += count
    }
    return VolumeAnalysis.Histogram(low: low, high: high, counts: wide)
  }

  /// A number's bits in the order of the numbers.
  private static func key(_ value: Float) -> UInt32 {
    let bits = value.bitPattern
    return bits >> 31 == 0 ? bits | 1 << 31 : ~bits
  }

  private static func value(_ key: UInt32) -> Float {
    Float(bitPattern: key >> 31 == 0 ? ~key : key & ~(1 << 31))
  }
}
