import Glibc

/// Refines the axis by how sharp a slice it reconstructs: the entropy of the slice's grey values is smallest at the
/// right axis.
///
/// A wrong axis smears edges into crescents, so values of the plain materials spread over the histogram. This is the
/// metric Q_H of T. Donath, F. Beckmann and A. Schreyer, Automated determination of the center of rotation in
/// tomography data, J. Opt. Soc. Am. A 23 (2006) 1048–1057. We take entropy and not their Q_IA or Q_IN (absolute and
/// negative values), because those need samples that never leave the detector: truncated ones drag them pixels away.
/// The histogram counts each value in two bins by linear weights, so that the entropy varies smoothly with the axis,
/// and a parabola through several candidates gives the minimum and its standard error.
///
/// Slices are filtered backprojections on the thinned pixels of the disc that all projections see.
struct SliceEntropy {
  private static let columnsMax = 1024
  private static let pixelsMax = 40_000
  private static let candidateStep = 0.375
  private static let candidatesPerSide = 8
  private static let roundsMax = 3
  /// Above this standard error, in bins, the minimum is not trusted.
  private static let errorMax = 0.2

  /// What the standard error cannot know, in bins: the rim that a sample leaving the detector makes is sharpest at an
  /// axis of its own.
  private static let systematicError = 0.15

  private let factor: Int
  private let sinogram: SortedSinogram
  private let filtered: [Float]

  init(_ full: SortedSinogram) {
    factor = (full.columns + Self.columnsMax - 1) / Self.columnsMax
    sinogram = full.binned(by: factor)
    filtered = RampFilter(columns: sinogram.columns).apply(sinogram.values)
  }

  /// The axis with the smallest entropy near `start` and its standard error, in pixels of the detector; nil without a
  /// clear minimum.
  func refine(_ start: Double) -> AxisPosition? {
    var axis = start / Double(factor)
    for _ in 0..<Self.roundsMax {
      let reach = Self.candidateStep * Double(Self.candidatesPerSide)
      let radius = min(axis, Double(sinogram.columns) - axis) - reach - 1
      guard radius >= 8, let disc = SampledDisc(radius: radius, pixelsMax: Self.pixelsMax) else { return nil }
      let offsets = (-Self.candidatesPerSide...Self.candidatesPerSide).map { Self.candidateStep * Double($0) }
      guard let range = valueRange(reconstruct(disc, axis: axis)) else { return nil }
      let entropies = offsets.map { greyEntropy(reconstruct(disc, axis: axis + $0), range: range) }
      guard let lowest = entropies.indices.min(by: { entropies[$0] < entropies[$1] }) else { return nil }
      if lowest == 0 || lowest == entropies.count - 1 {
        axis += offsets[lowest]  // the minimum lies outside: look there
        continue
      }
      let near = offsets.indices.filter { abs(offsets[$0] - offsets[lowest]) <= 2 }
      let fit = Parabola(x: near.map { offsets[$0] - offsets[lowest] }, y: near.map { entropies[$0] })
      guard let fit, fit.vertexError <= Self.errorMax, abs(fit.vertex) <= 2 * Self.candidateStep else { return nil }
      return AxisPosition(
        axis: (axis + offsets[lowest] + fit.vertex) * Double(factor),
        error: hypot(fit.vertexError, Self.systematicError) * Double(factor))
    }
    return nil
  }

  /// Backprojects onto the pixels of a disc all of whose rays fall between the centres of the detector's first and last
  /// bins.
  private func reconstruct(_ disc: SampledDisc, axis: Double) -> [Float] {
    let columns = sinogram.columns
    precondition(
      axis - disc.radius >= 0.5 && axis + disc.radius < Double(columns) - 0.5, "axis \(axis), radius \(disc.radius)")
    var values = [Float](repeating: 0, count: disc.pixelCount)
    let directions = sinogram.thetas.map { (cos: cos($0), sin: sin($0)) }
    // Every index is inside by the precondition; the pointers spare the innermost loop its bounds checks.
    values.withUnsafeMutableBufferPointer { values in
      filtered.withUnsafeBufferPointer { filtered in
        for line in disc.lines {
          let target = values.baseAddress! + line.firstPixel
          for (angle, direction) in directions.enumerated() {
            let projection = filtered.baseAddress! + angle * columns
            let start = Float(line.x * direction.cos + line.y * direction.sin + axis - 0.5)
            let step = Float(disc.step * direction.cos)
            for pixel in 0..<line.count {
              let position = start + Float(pixel) * step
              let bin = Int(position)
              target[pixel] += projection[bin] + (position - Float(bin)) * (projection[bin + 1] - projection[bin])
            }
          }
        }
      }
    }
    return values
  }

  /// The values between which the histogram lies: all but the outermost hundredth, and a fifth more on each side.
  private func valueRange(_ values: [Float]) -> ClosedRange<Float>? {
    let sorted = values.sorted()
    let (low, high) = (sorted[sorted.count / 200], sorted[sorted.count - 1 - sorted.count / 200])
    let margin = (high - low) / 5
    return high > low && (high - low + 2 * margin).isFinite ? low - margin...high + margin : nil
  }
}

/// The pixels of a disc around the axis, thinned evenly along x and y.
private struct SampledDisc {
  struct Line {
    let x: Double
    let y: Double
    let count: Int
    let firstPixel: Int
  }
  let radius: Double
  let step: Double
  let pixelCount: Int
  let lines: [Line]

  /// A disc of about `pixelsMax` pixels at most; nil when it holds none.
  init?(radius: Double, pixelsMax: Int) {
    self.radius = radius
    step = max(1, (Double.pi * radius * radius / Double(pixelsMax)).squareRoot().rounded(.up))
    var lines: [Line] = []
    var pixelCount = 0
    let side = Int(radius / step)
    for row in -side...side {
      let y = Double(row) * step
      let reach = Int((radius * radius - y * y).squareRoot() / step)
      lines.append(Line(x: -Double(reach) * step, y: y, count: 2 * reach + 1, firstPixel: pixelCount))
      pixelCount += 2 * reach + 1
    }
    guard pixelCount > 0 else { return nil }
    self.lines = lines
    self.pixelCount = pixelCount
  }
}
