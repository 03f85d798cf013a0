import Glibc

/// A synthetic sample whose line integrals are known exactly, because each of its slices is a sum of ellipses and
/// Gaussian spots.
///
/// Slices and line integrals are in the design's geometry: a slice is `columns` × `columns` pixels, row 0 on top,
/// centred on the rotation axis; a point at (X, Y) pixels, X to the right and Y up, projects to t = X cos θ + Y sin θ
/// and into the detector's bin t + rotationAxis − 0.5. Lengths are in pixels, so line integrals are dimensionless and a
/// slice is attenuation per pixel. The attenuation of a phantom's value 1 is `fullWidthIntegral / columns` per pixel:
/// line integrals are then the same at every resolution.
package protocol Phantom: Sendable {
  /// The line integral of value 1 over the full width of a slice; chosen so that a phantom's largest line integrals are
  /// about 1 … 3.
  var fullWidthIntegral: Double { get }

  /// The ellipses that add up to the slice of detector row `row`. A phantom says how many rows it has.
  func ellipses(row: Int) -> [Ellipse]

  /// The spots that are added to them; none unless a phantom has some.
  func spots(row: Int) -> [GaussianSpot]
}

extension Phantom {
  /// None.
  package func spots(row: Int) -> [GaussianSpot] { [] }

  /// Exact line integrals of one detector row at one theta.
  ///
  /// - Parameters:
  ///   - theta: in radians.
  ///   - columns: the detector's bins, and the width of the slice in pixels.
  ///   - rotationAxis: in pixels from the detector's left edge; `columns / 2` is the middle.
  ///   - samplesPerBin: 1 gives the integral along the line through the bin's centre, more give the mean of so many
  ///     evenly spaced lines.
  ///   - output: `columns` line integrals, overwritten.
  package func lineIntegrals(
    row: Int, theta: Double, columns: Int, rotationAxis: Double, samplesPerBin: Int = 1,
    into output: UnsafeMutableBufferPointer<Float>
  ) {
    precondition(
      output.count == columns && columns > 0 && samplesPerBin > 0, "\(output.count) floats for \(columns) bins")
    let half = Double(columns) / 2
    // A chord of length 1 (half the width) through value 1.
    let scale = fullWidthIntegral / 2 / Double(samplesPerBin)
    let (cosTheta, sinTheta) = (cos(theta), sin(theta))
    withUnsafeTemporaryAllocation(of: Double.self, capacity: columns) { sums in
      sums.initialize(repeating: 0)
      for ellipse in ellipses(row: row) {
        let shadow = EllipseShadow(ellipse, cosTheta: cosTheta, sinTheta: sinTheta)
        let centreBin = shadow.centre * half + rotationAxis - 0.5
        let halfWidthBins = shadow.halfWidth * half + 0.5
        let first = min(max((centreBin - halfWidthBins).rounded(.down), 0), Double(columns))
        let last = max(min((centreBin + halfWidthBins).rounded(.up), Double(columns - 1)), -1)
        guard first <= last else { continue }
        for bin in Int(first)...Int(last) {
          for sample in 0..<samplesPerBin {
            let offset = (Double(sample) + 0.5) / Double(samplesPerBin)
            sums[bin] += shadow.integral(at: (Double(bin) + offset - rotationAxis) / half)
          }
        }
      }
      for spot in spots(row: row) {
        for bin in 0..<columns {
          for sample in 0..<samplesPerBin {
            let t = (Double(bin) + (Double(sample) + 0.5) / Double(samplesPerBin) - rotationAxis) / half
            sums[bin] += spot.integral(at: t, cosTheta: cosTheta, sinTheta: sinTheta)
          }
        }
      }
      for bin in 0..<columns { output[bin] = Float(sums[bin] * scale) }
    }
  }

  /// The true slice of one detector row, averaged over each pixel's area: exactly along a pixel's row, and over
  /// `supersampling` lines across it. Spots are taken at the pixels' centres.
  ///
  /// - Parameters:
  ///   - columns: the slice has `columns` × `columns` pixels, in attenuation per pixel.
  ///   - output: `columns` × `columns` floats, row 0 on top, overwritten.
  package func slice(row: Int, columns: Int, supersampling: Int, into output: UnsafeMutableBufferPointer<Float>) {
    precondition(
      output.count == columns * columns && columns > 0 && supersampling > 0,
      "\(output.count) floats for \(columns)² pixels")
    output.update(repeating: 0)
    let half = Double(columns) / 2
    for ellipse in ellipses(row: row) {
      let value = ellipse.value * fullWidthIntegral / Double(columns * supersampling)
      let height = EllipseShadow(ellipse, cosTheta: 0, sinTheta: 1).halfWidth
      let first = max(0, Int(((1 - ellipse.y - height) * half).rounded(.down)))
      let last = min(columns - 1, Int(((1 - ellipse.y + height) * half).rounded(.up)))
      for imageRow in stride(from: first, through: last, by: 1) {
        let line = UnsafeMutableBufferPointer(rebasing: output[imageRow * columns..<(imageRow + 1) * columns])
        for sample in 0..<supersampling {
          let y = 1 - (Double(imageRow) + (Double(sample) + 0.5) / Double(supersampling)) / half
          guard let chord = ellipse.chord(y: y) else { continue }
          add(value, from: (chord.lowerBound + 1) * half, to: (chord.upperBound + 1) * half, line: line)
        }
      }
    }
    for spot in spots(row: row) { draw(spot, columns: columns, into: output) }
  }

  private func draw(_ spot: GaussianSpot, columns: Int, into output: UnsafeMutableBufferPointer<Float>) {
    let half = Double(columns) / 2, reach = GaussianSpot.reach * spot.width
    func pixels(around centre: Double) -> Range<Int> {
      let first = ((centre - reach + 1) * half).rounded(.down), last = ((centre + reach + 1) * half).rounded(.up)
      return Int(min(max(first, 0), Double(columns)))..<Int(min(max(last, 0), Double(columns)))
    }
    let across = pixels(around: spot.x)
    for row in pixels(around: -spot.y) {
      let y = 1 - (Double(row) + 0.5) / half
      for column in across {
        let value = spot.value(x: (Double(column) + 0.5) / half - 1, y: y)
        output[row * columns + column] += Float(value * fullWidthIntegral / Double(columns))
      }
    }
  }
}

extension Ellipse {
  /// The part of the horizontal line at `y` that lies in the ellipse.
  fileprivate func chord(y: Double) -> ClosedRange<Double>? {
    // In the ellipse's own axes the line is (u, v) = (u₀ + x c, v₀ − x s), and u²/a² + v²/b² = 1 is quadratic in x.
    let (c, s) = (cos(angle), sin(angle))
    let (u, v) = ((y - self.y) * s, (y - self.y) * c)
    let p = c * c / (a * a) + s * s / (b * b)
    let q = u * c / (a * a) - v * s / (b * b)
    let discriminant = q * q - p * (u * u / (a * a) + v * v / (b * b) - 1)
    guard discriminant > 0 else { return nil }
    let root = discriminant.squareRoot()
    return x + (-q - root) / p...x + (-q + root) / p
  }
}

/// Adds `value`, times the part of each pixel that is covered, to the pixels between two positions (in pixels from the
/// line's left end).
private func add(_ value: Double, from start: Double, to end: Double, line: UnsafeMutableBufferPointer<Float>) {
  let start = max(0, start)
  let end = min(Double(line.count), end)
  guard start < end else { return }
  let first = Int(start)
  let last = min(Int(end), line.count - 1)
  for pixel in first...last {
    let covered = min(Double(pixel + 1), end) - max(Double(pixel), start)
    line[pixel] += Float(value * covered)
  }
}
