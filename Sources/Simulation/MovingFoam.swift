import Glibc

/// A foam that is not the same while it is scanned: what the volume of a running scan has to follow.
package struct MovingFoam: Sendable {
  /// How it changes.
  package enum Motion: String, CaseIterable, Sendable {
    /// It moves by 0.04 of the columns to the right and half as much down.
    case drift
    /// A void grows beside the axis, from nothing to a radius of a tenth of the columns.
    case pore
  }

  private let motion: Motion
  private let columns: Int
  private let foam: [Ellipse]
  private let fullWidthIntegral: Double

  /// Widths and places, in halves of the slice's width.
  private static let drift = (x: 0.08, y: -0.04), pore = (x: 0.0, y: 0.04, radius: 0.2, free: 0.24)

  /// The foam of a seed, with empty voids. Where a pore grows there are no others.
  package init(_ motion: Motion, columns: Int, seed: UInt64) {
    let still = Foam(rows: 1, columns: columns, seed: seed, voidValue: 0), ellipses = still.ellipses(row: 0)
    (self.motion, self.columns, fullWidthIntegral) = (motion, columns, still.fullWidthIntegral)
    foam = ellipses.enumerated().filter { index, ellipse in
      index == 0 || motion != .pore
        || hypot(ellipse.x - Self.pore.x, ellipse.y - Self.pore.y) > Self.pore.free + ellipse.a
    }.map(\.element)
  }

  /// Attenuation per pixel at `time`, 0 … 1 of the scan; columns × columns, row 0 on top.
  package func truth(at time: Double) -> [Float] { KnownSlice.slice(of: instant(time), columns: columns) }

  /// What a scan that sees it at `thetas` (radians), one after the other, shows.
  package func scan(thetas: [Double]) -> KnownSlice {
    KnownSlice(
      thetas.indices.map { instant(Double($0) / Double(thetas.count)) }, columns: columns, thetas: thetas)
  }

  private func instant(_ time: Double) -> Instant {
    var ellipses = foam
    switch motion {
    case .drift:
      for index in ellipses.indices {
        ellipses[index].x += Self.drift.x * time
        ellipses[index].y += Self.drift.y * time
      }
    case .pore:
      guard time > 0 else { break }
      ellipses.append(Ellipse(x: Self.pore.x, y: Self.pore.y, a: Self.pore.radius * time, value: -1))
    }
    return Instant(fullWidthIntegral: fullWidthIntegral, slice: ellipses)
  }

  /// What it is at one moment.
  private struct Instant: Phantom {
    let fullWidthIntegral: Double
    let slice: [Ellipse]

    func ellipses(row: Int) -> [Ellipse] { slice }
  }
}
