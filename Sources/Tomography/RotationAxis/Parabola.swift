/// A parabola through noisy points, by least squares.
struct Parabola {
  /// Where its minimum is.
  let vertex: Double
  /// Standard error of the vertex, from how far the points lie beside the parabola.
  let vertexError: Double

  /// Fits at least four points; nil when they have no minimum.
  init?(x: [Double], y: [Double]) {
    guard x.count >= 4, x.count == y.count else { return nil }
    // Orthogonal polynomials on these points: 1, u = x − x̄ and w = u² − αu − β, so that no system has to be solved.
    let count = Double(x.count)
    let mean = x.reduce(0, +) / count
    let u = x.map { $0 - mean }
    let uu = u.reduce(0) { $0 + $1 * $1 }
    let alpha = u.reduce(0) { $0 + $1 * $1 * $1 } / uu
    let beta = uu / count
    let w = u.map { $0 * $0 - alpha * $0 - beta }
    let ww = w.reduce(0) { $0 + $1 * $1 }
    let constant = y.reduce(0, +) / count
    let slope = zip(u, y).reduce(0) { $0 + $1.0 * $1.1 } / uu
    let curvature = zip(w, y).reduce(0) { $0 + $1.0 * $1.1 } / ww
    guard curvature > 0 else { return nil }
    let squares = y.indices.reduce(0.0) { sum, point in
      let residual = y[point] - constant - slope * u[point] - curvature * w[point]
      return sum + residual * residual
    }
    vertex = mean + alpha / 2 - slope / (2 * curvature)
    vertexError = (squares / (count - 3) / uu).squareRoot() / (2 * curvature)
  }
}
