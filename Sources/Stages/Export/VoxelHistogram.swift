import Tomography

/// How often the voxels inside the disks of slices have which value: 2²⁰ bins by the upper bits of the number, so that
/// each is 2⁻¹¹ of its value wide. Counts do not depend on the order in which voxels come.
///
/// Only inside: the corners of a slice see few projections, and hold its largest values.
struct VoxelHistogram {
  /// Edge of a slice.
  let columns: Int
  private let disk: DiskMask
  private var counts = [UInt64](repeating: 0, count: 1 << 20)
  private var count: UInt64 = 0
  private var (low, high) = (Float.infinity, -Float.infinity)

  /// Bits of a number that its bin does not tell.
  private static let bitsBelow: UInt32 = 12

  /// Of slices with so many columns.
  init(columns: Int) {
    self.columns = columns
    disk = DiskMask(columns: columns, isDisk: true)
  }

  /// Counts whole slices. What is no number, as in rows that are missing, counts for nothing.
  mutating func add(_ voxels: UnsafeBufferPointer<Float>) {
    precondition(voxels.count % (columns * columns) == 0, "\(voxels.count) voxels of slices with \(columns) columns")
    for row in 0..<voxels.count / columns {
      let range = disk.columns(row: row % columns)
      for voxel in voxels[row * columns + range.lowerBound..<row * columns + range.upperBound] where voxel.isFinite {
        counts[Int(Self.key(voxel) >> Self.bitsBelow)] += 1
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

  /// A number's bits in the order of the numbers.
  private static func key(_ value: Float) -> UInt32 {
    let bits = value.bitPattern
    return bits >> 31 == 0 ? bits | 1 << 31 : ~bits
  }

  private static func value(_ key: UInt32) -> Float {
    Float(bitPattern: key >> 31 == 0 ? ~key : key & ~(1 << 31))
  }
}
