import Glibc

/// Joseph's matrix written out in double precision, one ray at a time, from the definition.
struct JosephReference {
  let columns: Int
  let axis: Double

  /// Calls `body(pixel, weight)` for each pixel that the ray of (theta, bin) weighs; pixel = row · columns + column.
  func forEachWeight(theta: Double, bin: Int, _ body: (Int, Double) -> Void) {
    let half = Double(columns) / 2, t = Double(bin) + 0.5 - axis
    let cosine = cos(theta), sine = sin(theta), isSteep = abs(cosine) >= abs(sine)
    for major in 0..<columns {
      // Where the ray X cos θ + Y sin θ = t crosses this row's (steep) or column's centre line, as a pixel coordinate.
      let position =
        isSteep
        ? (t - (half - Double(major) - 0.5) * sine) / cosine + half - 0.5
        : half - 0.5 - (t - (Double(major) + 0.5 - half) * cosine) / sine
      let floor = position.rounded(.down), fraction = position - floor
      for (minor, weight) in [(Int(floor), 1 - fraction), (Int(floor) + 1, fraction)]
      where (0..<columns).contains(minor) {
        body(isSteep ? major * columns + minor : minor * columns + major, weight / max(abs(cosine), abs(sine)))
      }
    }
  }

  func project(_ slice: [Double], theta: Double) -> [Double] {
    (0..<columns).map { bin in
      var sum = 0.0
      forEachWeight(theta: theta, bin: bin) { sum += $1 * slice[$0] }
      return sum
    }
  }
}

func relativeDistance(_ a: [Double], _ b: [Double]) -> Double {
  let difference = zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }, norm = b.reduce(0) { $0 + $1 * $1 }
  return difference == 0 ? 0 : (difference / norm).squareRoot()
}
