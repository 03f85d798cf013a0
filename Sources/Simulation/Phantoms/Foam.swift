import Glibc
import Host

/// A cylinder of value 1 full of spherical voids that touch neither each other nor the wall, large ones first and small
/// ones between them, as in D. M. Pelt, A. A. Hendriksen and K. J. Batenburg, Foam-like phantoms for comparing
/// tomography algorithms, J. Synchrotron Rad. 29 (2022) 254–265.
///
/// Each of many random points in the cylinder gets the largest void that its neighbours and a slowly shrinking limit
/// allow; a point that allows less than the smallest void gets none. Lengths are those of `Ellipse`. Voids do not
/// depend on the resolution, only on the ratio of rows to columns: they go on above the first and below the last row as
/// inside.
///
/// Voids have the value 0.75 unless stated: foam whose bubbles hold a lighter material. A sharp edge of full contrast
/// costs an iterative method far more than it has recovered after 50 iterations of SIRT (at 256 columns and 180 angles
/// the bare cylinder has a PSNR of 25.5 dB, empty voids in it 16 dB); at this contrast many small edges weigh as much
/// as the one wall, about 24.8 dB together.
package struct Foam: Phantom {
  /// A spherical hole.
  package struct Void: Sendable, Equatable {
    /// Position of the centre: to the right, up in the slice, and along the axis with 0 at the middle row.
    package let x, y, z: Double
    /// Radius.
    package let radius: Double
  }

  /// Largest line integrals about 2.
  package let fullWidthIntegral = 3.0
  /// Radius of the cylinder.
  package static let cylinderRadius = 0.9
  static let radiusMax = 0.2
  static let radiusMin = 0.04
  static let gap = 0.016
  static let pointsPerVolume = 1000.0

  /// All voids, in the order in which they were placed.
  package let voids: [Void]
  private let voidValue: Double
  private let rows: Int
  private let halfWidth: Double
  private let voidsInRow: [[Int32]]

  /// The foam of a seed, seen by a detector of `rows` × `columns` square pixels. A `voidValue` of 0 makes the voids
  /// empty.
  package init(rows: Int, columns: Int, seed: UInt64, voidValue: Double = 0.75) {
    precondition(rows > 0 && columns > 0, "a foam for \(rows) × \(columns) pixels")
    self.rows = rows
    self.voidValue = voidValue
    let halfWidth = Double(columns) / 2
    self.halfWidth = halfWidth
    let voids = FoamPacking.voids(halfHeight: Double(rows) / Double(columns) + Self.radiusMax, seed: seed)
    var voidsInRow = [[Int32]](repeating: [], count: rows)
    for (index, void) in voids.enumerated() {
      let middle = void.z * halfWidth + Double(rows) / 2 - 0.5
      let first = max(0, Int((middle - void.radius * halfWidth).rounded(.up)))
      let last = min(rows - 1, Int((middle + void.radius * halfWidth).rounded(.down)))
      for row in stride(from: first, through: last, by: 1) { voidsInRow[row].append(Int32(index)) }
    }
    self.voids = voids
    self.voidsInRow = voidsInRow
  }

  /// The cylinder, and the discs in which the middle plane of a row cuts the voids.
  package func ellipses(row: Int) -> [Ellipse] {
    precondition(row >= 0 && row < rows, "row \(row) of a foam of \(rows) rows")
    let z = (Double(row) + 0.5 - Double(rows) / 2) / halfWidth
    var ellipses = [Ellipse(x: 0, y: 0, a: Self.cylinderRadius, value: 1)]
    ellipses.reserveCapacity(voidsInRow[row].count + 1)
    for index in voidsInRow[row] {
      let void = voids[Int(index)]
      let squared = void.radius * void.radius - (z - void.z) * (z - void.z)
      if squared > 0 { ellipses.append(Ellipse(x: void.x, y: void.y, a: squared.squareRoot(), value: voidValue - 1)) }
    }
    return ellipses
  }
}

/// Places the voids. A grid lists, for each cell, the voids that can limit a void whose centre is in that cell.
private struct FoamPacking {
  private var voids: [Foam.Void] = []
  private var cells: [[Int32]]
  private let halfHeight: Double
  private let layers: Int
  private static let cellsAcross = 40
  private static let cellWidth = 2.0 / Double(cellsAcross)

  static func voids(halfHeight: Double, seed: UInt64) -> [Foam.Void] {
    var packing = FoamPacking(halfHeight: halfHeight)
    var random = SplitMix64(seed: seed)
    let area = Double.pi * Foam.cylinderRadius * Foam.cylinderRadius
    let pointCount = Int(Foam.pointsPerVolume * area * 2 * halfHeight)
    for point in 0..<pointCount {
      let limit = Foam.radiusMax * pow(Foam.radiusMin / Foam.radiusMax, Double(point) / Double(pointCount))
      let (x, y) = (2 * random.unit() - 1, 2 * random.unit() - 1)
      let z = (2 * random.unit() - 1) * halfHeight
      packing.place(x: x, y: y, z: z, limit: limit)
    }
    return packing.voids
  }

  private init(halfHeight: Double) {
    self.halfHeight = halfHeight
    layers = Int((2 * halfHeight / Self.cellWidth).rounded(.up))
    cells = Array(repeating: [], count: layers * Self.cellsAcross * Self.cellsAcross)
  }

  private mutating func place(x: Double, y: Double, z: Double, limit: Double) {
    var radius = min(limit, Foam.cylinderRadius - Foam.gap - (x * x + y * y).squareRoot())
    guard radius >= Foam.radiusMin else { return }
    for index in cells[cell(x: cellIndex(x, from: -1), y: cellIndex(y, from: -1), z: cellIndex(z, from: -halfHeight))] {
      let void = voids[Int(index)]
      let (dx, dy, dz) = (x - void.x, y - void.y, z - void.z)
      radius = min(radius, (dx * dx + dy * dy + dz * dz).squareRoot() - void.radius - Foam.gap)
      if radius < Foam.radiusMin { return }
    }
    register(reach: radius + limit + Foam.gap, x: x, y: y, z: z)
    voids.append(Foam.Void(x: x, y: y, z: z, radius: radius))
  }

  /// Lists the next void in every cell within `reach` along each axis: no later void is larger than the present limit.
  private mutating func register(reach: Double, x: Double, y: Double, z: Double) {
    let index = Int32(voids.count)
    for layer in cellIndex(z - reach, from: -halfHeight)...cellIndex(z + reach, from: -halfHeight) {
      for line in cellIndex(y - reach, from: -1)...cellIndex(y + reach, from: -1) {
        for column in cellIndex(x - reach, from: -1)...cellIndex(x + reach, from: -1) {
          cells[cell(x: column, y: line, z: layer)].append(index)
        }
      }
    }
  }

  /// The cell of a coordinate, kept inside the grid; along z the grid may be longer than the slice is wide.
  private func cellIndex(_ coordinate: Double, from origin: Double) -> Int {
    let count = origin == -1 ? Self.cellsAcross : layers
    return min(max(Int((coordinate - origin) / Self.cellWidth), 0), count - 1)
  }

  private func cell(x: Int, y: Int, z: Int) -> Int { (z * Self.cellsAcross + y) * Self.cellsAcross + x }
}
