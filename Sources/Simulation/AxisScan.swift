import Glibc
import Host
import Tomography

/// One detector row of a scan that nobody planned: span, order, noise, truncation and rotation axis are drawn at
/// random, line integrals are exact.
package struct AxisScan: Sendable {
  /// Bins of the detector.
  package let columns: Int
  /// In radians, as they were measured.
  package let thetas: [Double]
  /// Where the axis is, in pixels from the detector's left edge.
  package let rotationAxis: Double
  /// Angles × columns, with noise.
  package let lines: [Float]
  /// Degrees, the last step included.
  package let span: Double
  /// Photons a pixel without a sample; nil for no noise.
  package let photons: Double?
  /// Whether the sample leaves the detector.
  package let isTruncated: Bool
  /// In what order it was measured.
  package let order: String

  private static let samplesPerBin = 3
  /// 36 projections of 10 degrees, or three in four of a detector's columns.
  private static let projectionsMax = 1_500.0

  /// Scan `number` of a campaign: columns from 64 to `columnsMax`, 150° to 400°, 20 projections up, the axis within a
  /// quarter of the width beside the middle, or anywhere in the outer part where a turn shows each ray twice.
  package init(seed: UInt64, number: Int, columnsMax: Int) {
    precondition(columnsMax >= 64, "\(columnsMax) columns")
    var random = SplitMix64(seed: seed, number)
    let columns = Int(random.logarithmic(64, Double(columnsMax)))
    let span = [180, 360, random.uniform(150, 400), random.uniform(150, 180)][Int(random.unit() * 4)]
    let count = Int(random.logarithmic(20, min(Self.projectionsMax, max(40, 1.5 * Double(columns)))))
    self.span = span
    let start = random.uniform(-360, 360), step = span / Double(count)
    let even = (0..<count).map { (start + step * Double($0)) * .pi / 180 }
    let order: AngleOrder
    (self.order, order) =
      [
        ("sequential", .sequential), ("sequential", .sequential), ("interleaved", .interleaved(4)), ("golden", .golden),
      ][Int(random.unit() * 4)]
    let thetas = order.visits(thetas: even).map { even[$0] }
    let place = random.unit(), side = random.unit() < 0.5 ? 1.0 : -1.0
    let offset =
      span >= 360 && place < 0.25
      ? random.uniform(0.2, 0.38) : place < 0.6 ? random.uniform(0, 0.05) : random.uniform(0, 0.25)
    let rotationAxis = Double(columns) * (0.5 + side * offset)
    (self.columns, self.thetas, self.rotationAxis) = (columns, thetas, rotationAxis)
    // Half the width of what the detector sees whole: of all, or of the larger side where a turn shows both.
    let free = span >= 360 ? 0.5 + offset : 0.5 - offset
    let reach = random.unit() < 0.3 ? random.uniform(1.05, 1.8) : random.uniform(0.5, 0.95)
    let sample = RandomSample(radius: 2 * free * reach, random: &random)
    let photons = random.unit() < 0.2 ? nil : random.logarithmic(300, 100_000)
    self.photons = photons
    var lines = [Float](repeating: 0, count: count * columns)
    lines.withUnsafeMutableBufferPointer { lines in
      for (index, theta) in thetas.enumerated() {
        sample.lineIntegrals(
          row: 0, theta: theta, columns: columns, rotationAxis: rotationAxis, samplesPerBin: Self.samplesPerBin,
          into: UnsafeMutableBufferPointer(rebasing: lines[index * columns..<(index + 1) * columns]))
      }
    }
    isTruncated = thetas.indices.contains { lines[$0 * columns] > 0 || lines[($0 + 1) * columns - 1] > 0 }
    if let photons {
      for index in lines.indices {
        let count = random.poisson(mean: photons * exp(-Double(lines[index])))
        lines[index] = Float(-log(max(count, 0.5) / photons))
      }
    }
    self.lines = lines
  }
}

/// Matter with pieces of less and more, anywhere in it; it need not lie on the axis.
private struct RandomSample: Phantom {
  let fullWidthIntegral: Double
  private let shapes: [Ellipse]

  func ellipses(row: Int) -> [Ellipse] { shapes }

  /// Within so many half widths of the axis.
  init(radius: Double, random: inout SplitMix64) {
    // Round about the axis, or a smaller body beside it.
    let size = radius * random.uniform(0.5, 1), beside = radius - size, direction = random.uniform(0, 2 * .pi)
    let (x, y) = (beside * cos(direction), beside * sin(direction))
    let flatness = random.uniform(0.5, 1), turn = random.uniform(0, .pi)
    var shapes = [Ellipse(x: x, y: y, a: size, b: size * flatness, angle: turn, value: 1)]
    let pieces = Int(random.logarithmic(3, 60)), contrast = random.uniform(0.2, 1)
    for _ in 0..<pieces {
      let distance = 0.85 * random.unit().squareRoot(), angle = random.uniform(0, 2 * .pi)
      let (along, across) = (size * distance * cos(angle), size * flatness * distance * sin(angle))
      let a = size * flatness * random.logarithmic(0.02, 0.25) * (1 - 0.9 * distance)
      shapes.append(
        Ellipse(
          x: x + along * cos(turn) - across * sin(turn), y: y + along * sin(turn) + across * cos(turn),
          a: a, b: a * random.uniform(0.3, 1), angle: random.uniform(0, .pi),
          value: random.unit() < 0.6 ? -contrast : contrast))
    }
    self.shapes = shapes
    // The longest path, of matter alone: exp(−0.5) to exp(−3) come through.
    fullWidthIntegral = random.uniform(0.5, 3) / size
  }
}

extension SplitMix64 {
  fileprivate mutating func uniform(_ low: Double, _ high: Double) -> Double { low + (high - low) * unit() }

  fileprivate mutating func logarithmic(_ low: Double, _ high: Double) -> Double { low * pow(high / low, unit()) }
}
