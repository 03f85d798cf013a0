import Glibc
import Host
import KernelTypes
import Tomography

/// Pores and denser grains between random borders, in a disk: a random field, cut off at two levels. It has no exact
/// line integrals; it is made and projected three times as fine as the detector, whose bins are means of three.
struct Rock {
  /// Of value 1, as a phantom's.
  static let fullWidthIntegral = 3.0
  private static let fineness = 3
  private static let radius = 0.88

  /// The slice, in attenuation per pixel.
  let truth: [Float]
  private let columns: Int
  private let fine: [Float]

  init(columns: Int, seed: UInt64) {
    let n = columns * Self.fineness, field = Self.field(n, seed: seed)
    // A path of one fine pixel is a third of one pixel.
    let value = Float(Self.fullWidthIntegral / Double(columns))
    let fine = field.enumerated().map { index, level in
      let (y, x) = (Double(index / n) + 0.5 - Double(n) / 2, Double(index % n) + 0.5 - Double(n) / 2)
      let isInside = hypot(x, y) < Self.radius * Double(n) / 2
      return !isInside || level < -0.7 ? 0 : level > 0.9 ? value : 0.7 * value
    }
    truth = (0..<columns * columns).map { pixel in
      var sum: Float = 0
      for y in 0..<Self.fineness {
        let start = (pixel / columns * Self.fineness + y) * n + pixel % columns * Self.fineness
        for x in 0..<Self.fineness { sum += fine[start + x] }
      }
      return sum / Float(Self.fineness * Self.fineness)
    }
    (self.columns, self.fine) = (columns, fine)
  }

  /// Line integrals, angles × columns; `thetas` in radians.
  func lines(thetas: [Double]) -> [Float] {
    let n = columns * Self.fineness, layout = SliceLayout(columns: n, rows: 1)
    let volume = ScratchMemory(byteCount: layout.volumeByteCount)
    let sinogram = ScratchMemory(byteCount: layout.sinogramBlockByteCount(slots: thetas.count))
    fine.withUnsafeBufferPointer { layout.setSlice(row: 0, in: volume.start, from: $0) }
    Projector(layout: layout, beam: ParallelBeam(columns: n, rotationAxis: Double(n) / 2)).forward(
      volume: volume.start, sinogram: sinogram.start, slots: thetas.count, blocks: 0..<1,
      angles: thetas.enumerated().map { WindowAngle(theta: $1, slot: $0) }, executor: SerialExecutor())
    var line = [Float](repeating: 0, count: n)
    return thetas.indices.flatMap { slot in
      layout.copyProjection(slot: slot, slots: thetas.count, from: sinogram.start, blocks: 0..<1, into: &line)
      return (0..<columns).map { bin in
        let bins = line[bin * Self.fineness..<(bin + 1) * Self.fineness]
        return bins.reduce(0, +) / Float(Self.fineness * Self.fineness)
      }
    }
  }

  /// White noise, smoothed by Gaussians of 2.5, 5 and 10 pixels of the detector, each of variance 1, together too.
  private static func field(_ n: Int, seed: UInt64) -> [Float] {
    var sum = [Float](repeating: 0, count: n * n)
    for (index, width) in [2.5, 5, 10].enumerated() {
      var random = SplitMix64(seed: seed, index)
      let noise = (0..<n * n).map { _ in Float(random.unit()) - 0.5 }
      let smooth = gaussianSmoothed(noise, columns: n, sigma: width * Double(fineness))
      let deviation = (smooth.reduce(0) { $0 + $1 * $1 } / Float(n * n)).squareRoot()
      for place in sum.indices { sum[place] += smooth[place] / (deviation * Float(3).squareRoot()) }
    }
    return sum
  }
}
