import Glibc
import Testing

/// Projections of shapes whose line integrals are known.
@Suite struct ChordTests {
  static let thetas = (0..<36).map { Double($0) * .pi / 36 }

  /// The part of each pixel that `contains`, from 16 × 16 points.
  static func coverage(columns: Int, _ contains: (_ x: Double, _ y: Double) -> Bool) -> [Float] {
    (0..<columns * columns).map { pixel in
      var hits = 0
      for point in 0..<256 {
        let x = Double(pixel % columns) + (Double(point % 16) + 0.5) / 16 - Double(columns) / 2
        let y = Double(columns) / 2 - Double(pixel / columns) - (Double(point / 16) + 0.5) / 16
        hits += contains(x, y) ? 1 : 0
      }
      return Float(hits) / 256
    }
  }

  /// The chord of the box |x| ≤ halfWidth, |y| ≤ halfHeight around (centreX, centreY).
  static func boxChord(
    _ t: Double, theta: Double, halfWidth: Double, halfHeight: Double, centreX: Double, centreY: Double
  ) -> Double {
    let distance = t - centreX * cos(theta) - centreY * sin(theta)
    var from = -Double.infinity, to = Double.infinity
    // The ray is distance · (cos, sin) + s · (−sin, cos).
    for (start, slope, half) in [
      (distance * cos(theta), -sin(theta), halfWidth), (distance * sin(theta), cos(theta), halfHeight),
    ] {
      if abs(slope) < 1e-12 {
        if abs(start) > half { return 0 }
      } else {
        from = max(from, min((-half - start) / slope, (half - start) / slope))
        to = min(to, max((-half - start) / slope, (half - start) / slope))
      }
    }
    return max(0, to - from)
  }

  /// The mean over a bin's width, as a detector pixel sees it.
  static func mean(bin: Int, axis: Double, _ chord: (_ t: Double) -> Double) -> Double {
    (0..<16).reduce(0) { $0 + chord(Double(bin) + (Double($1) + 0.5) / 16 - axis) } / 16
  }

  /// Coverage smooths a shape over a pixel and interpolation over another, which matters where the chord jumps or has a
  /// kink: about one bin in the width of the shape on each side. The distance therefore falls as the shape grows; these
  /// are 1.5 times what is measured.
  private func check(
    _ slice: [Float], columns: Int, axis: Double, limit: Double, chord: (_ t: Double, _ theta: Double) -> Double
  ) {
    let scan = Scan(columns: columns, axis: axis, thetas: Self.thetas)
    scan.set(slice: slice)
    scan.forward()
    for (slot, theta) in Self.thetas.enumerated() {
      let projected = scan.projection(slot: slot).map(Double.init)
      let exact = (0..<columns).map { Self.mean(bin: $0, axis: axis) { chord($0, theta) } }
      let distance = relativeDistance(projected, exact)
      #expect(distance < limit, "theta \(theta): relative L2 \(distance)")
      let mass = projected.reduce(0, +) / exact.reduce(0, +)
      #expect(abs(mass - 1) < 2e-3, "theta \(theta): mass \(mass)")
    }
  }

  @Test func `a disc projects to its chords`() {
    let radius = 61.3, x = 17.2, y = -9.6
    let slice = Self.coverage(columns: 200) { hypot($0 - x, $1 - y) <= radius }
    check(slice, columns: 200, axis: 104.5, limit: 0.0062) { t, theta in
      let distance = t - x * cos(theta) - y * sin(theta)
      return 2 * max(0, radius * radius - distance * distance).squareRoot()
    }
  }

  @Test func `a rectangle projects to its chords`() {
    let slice = Self.coverage(columns: 151) { abs($0 + 8.5) <= 40 && abs($1 - 11.5) <= 25 }
    check(slice, columns: 151, axis: 75.5, limit: 0.0062) { t, theta in
      Self.boxChord(t, theta: theta, halfWidth: 40, halfHeight: 25, centreX: -8.5, centreY: 11.5)
    }
  }

  @Test func `a ray ends at the slice's edge`() {
    let scan = Scan(columns: 12, thetas: [0, .pi / 4, .pi / 2])
    scan.set(slice: [Float](repeating: 1, count: 144))
    scan.forward()
    for slot in [0, 2] { #expect(scan.projection(slot: slot).allSatisfy { abs($0 - 12) < 1e-5 }) }
    let diagonal = scan.projection(slot: 1)
    #expect(zip(diagonal, diagonal.reversed()).allSatisfy { abs($0 - $1) < 1e-5 })
  }
}
