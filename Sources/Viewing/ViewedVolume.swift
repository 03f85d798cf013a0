package import KernelTypes

/// A volume that somebody looks at: one that a run is making, or one in a file. Not to be used by several threads at
/// once.
package protocol ViewedVolume: AnyObject {
  /// What people call it.
  var name: String { get }
  /// Slices (z).
  var slices: Int { get }
  /// Columns of a slice, which has as many rows.
  var columns: Int { get }
  /// Edge of a voxel; nil where nobody knows it.
  var voxelSizeMillimetres: Double? { get }
  /// The unit of a voxel's value.
  var unit: String { get }
  /// The cuts that can be read in a short time.
  var axes: [CutAxis] { get }
  /// Whether its voxels may change.
  var isLive: Bool { get }
  /// Tells this volume from others that were, or will be, at the same address.
  var identity: UInt64 { get }
  /// Changes with the voxels: a number for each part that changes by itself.
  var generations: [UInt64] { get }

  /// A plane of the volume, every so-manieth voxel of it where it has more than `edgeMax` along a side. `index` is
  /// inside.
  func plane(_ axis: CutAxis, at index: Int, edgeMax: Int) throws(PlaneMissing) -> Plane
}

extension ViewedVolume {
  /// The number of cuts along an axis.
  package func count(along axis: CutAxis) -> Int { axis == .z ? slices : columns }

  /// Columns and rows of a cut, as `CutAxis` says: row × column for z, z × column for y, row × z for x.
  package func size(of axis: CutAxis) -> (columns: Int, rows: Int) {
    switch axis {
    case .z: (columns, columns)
    case .y: (columns, slices)
    case .x: (slices, columns)
    }
  }
}

/// Why there is no plane.
package enum PlaneMissing: Error {
  /// It changes faster than it can be read, or is not made yet: another time.
  case notNow
  /// It cannot be read.
  case unreadable(String)
}

/// Voxels of a cut, line by line.
package struct Plane: Sendable {
  /// Voxels of a line.
  package let columns: Int
  /// Lines.
  package let rows: Int
  /// columns × rows values.
  package let values: [Float]
  /// The generation of each part that it is from.
  package let generations: [UInt64]

  package init(columns: Int, rows: Int, values: [Float], generations: [UInt64]) {
    precondition(columns > 0 && rows > 0 && values.count == columns * rows, "\(columns) × \(rows): \(values.count)")
    (self.columns, self.rows, self.values, self.generations) = (columns, rows, values, generations)
  }
}

/// A name of what somebody sees, which no other voxels have: 64 bits of FNV-1a over the volume and its generations.
package struct VersionTag: Hashable, Sendable, CustomStringConvertible {
  private let bits: UInt64

  package init(of identity: UInt64, _ generations: [UInt64]) {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for word in [identity] + generations {
      for shift in stride(from: UInt64(0), to: 64, by: 8) {
        hash = (hash ^ (word >> shift & 255)) &* 0x100_0000_01B3
      }
    }
    bits = hash
  }

  /// From 16 hexadecimal digits.
  package init?(_ text: String) {
    guard text.utf8.count == 16, text.allSatisfy(\.isHexDigit), let bits = UInt64(text, radix: 16) else { return nil }
    self.bits = bits
  }

  /// 16 hexadecimal digits.
  package var description: String {
    let digits = String(bits, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
