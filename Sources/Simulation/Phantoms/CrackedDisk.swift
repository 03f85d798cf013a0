import Glibc
import Host

/// A disk with a few denser inclusions and straight thin cracks that lie apart: half as wide as 0.35, 0.6 or 1 pixel.
/// The same in every row.
struct CrackedDisk: Phantom {
  /// How much is missing in a crack.
  enum Contrast {
    /// 0.6 of a disk of 0.8.
    case full
    /// 0.15, in cracks that are 0.35 pixels from the middle to the edge.
    case faint
  }

  /// Largest line integrals about 2.
  let fullWidthIntegral = 3.0
  private let background: [Ellipse]
  private var cracks: [Ellipse]

  private static let (crackCount, inclusions, pointsMax) = (14, 8, 5_000)

  /// Cracks are as wide in pixels at any resolution, so they depend on `columns`.
  init(columns: Int, contrast: Contrast, seed: UInt64) {
    precondition(columns > 0, "\(columns) columns")
    var random = SplitMix64(seed: seed), background = [Ellipse(x: 0, y: 0, a: 0.88, value: 0.8)]
    func polar(_ distance: Double) -> (x: Double, y: Double) {
      let angle = 2 * .pi * random.unit()
      return (distance * cos(angle), distance * sin(angle))
    }
    for _ in 0..<Self.inclusions {
      let a = 0.04 + 0.08 * random.unit(), centre = polar(0.66 * random.unit())
      background.append(
        Ellipse(
          x: centre.x, y: centre.y, a: a, b: a * (0.6 + 0.4 * random.unit()), angle: 3 * random.unit(), value: 0.2))
    }
    var cracks: [Ellipse] = []
    let apart = 8 / Double(columns)
    for _ in 0..<Self.pointsMax where cracks.count < Self.crackCount {
      let centre = polar(0.68 * random.unit()), width = [0.35, 0.6, 1][Int(random.unit() * 3)]
      let crack = Ellipse(
        x: centre.x, y: centre.y, a: 0.08 + 0.12 * random.unit(),
        b: 2 * (contrast == .full ? width : 0.35) / Double(columns), angle: .pi * random.unit(),
        value: contrast == .full ? -0.6 : -0.15)
      if cracks.allSatisfy({ $0.distance(to: crack) > apart }) { cracks.append(crack) }
    }
    (self.background, self.cracks) = (background, cracks)
  }

  /// The disk and its inclusions alone.
  var withoutCracks: CrackedDisk {
    var disk = self
    disk.cracks = []
    return disk
  }

  /// The same for any row.
  func ellipses(row: Int) -> [Ellipse] { background + cracks }
}

extension Ellipse {
  /// The smallest distance between nine points on the long axes of two thin ellipses.
  fileprivate func distance(to other: Ellipse) -> Double {
    func points(_ ellipse: Ellipse) -> [(x: Double, y: Double)] {
      (-4...4).map { step in
        let along = ellipse.a * Double(step) / 4
        return (ellipse.x + along * cos(ellipse.angle), ellipse.y + along * sin(ellipse.angle))
      }
    }
    let others = points(other)
    return points(self).flatMap { a in others.map { b in hypot(a.x - b.x, a.y - b.y) } }.min() ?? .infinity
  }
}
