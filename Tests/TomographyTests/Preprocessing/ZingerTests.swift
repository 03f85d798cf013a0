import Host
import Testing

@testable import Simulation
@testable import Tomography

@Suite struct ZingerTests {
  private static let (rows, columns) = (70, 45)

  /// Transmissions with Poisson noise of so many photons, darker towards the right.
  private static func projection(photons: Double, seed: UInt64) -> [Float] {
    var random = SplitMix64(seed: seed)
    return (0..<rows * columns).map { index in
      let transmission = 1 - 0.97 * Double(index % columns) / Double(columns)
      // Not a whole number of photons, so that no pixel is exactly at a threshold.
      return Float((random.poisson(mean: photons * transmission) + 0.1 * random.unit()) / photons)
    }
  }

  private static func median25(_ image: [Float], row: Int, column: Int) -> Float {
    let values = (row - 2...row + 2).flatMap { y in
      (column - 2...column + 2).map { image[min(max(y, 0), rows - 1) * columns + min(max($0, 0), columns - 1)] }
    }
    return values.sorted()[12]
  }

  @Test(arguments: [0.1, 0.5, 2])
  func `A pixel far above the median around it becomes the median, and no other changes`(threshold: Double) {
    let image = Self.projection(photons: 40, seed: 1)
    var (filtered, expected, zingers) = (image, image, 0)
    let count = ZingerFilter(rows: Self.rows, columns: Self.columns, threshold: threshold).apply(
      &filtered, executor: SerialExecutor())
    for index in image.indices {
      let median = Self.median25(image, row: index / Self.columns, column: index % Self.columns)
      if image[index] > median + Float(threshold) * max(median, 1 / 32) {
        expected[index] = median
        zingers += 1
      }
    }
    #expect(filtered == expected && count == zingers && (threshold == 2 || count > 0))
    var threaded = image
    _ = ZingerFilter(rows: Self.rows, columns: Self.columns, threshold: threshold).apply(
      &threaded, executor: ThreadExecutor(width: 3))
    #expect(threaded == filtered)
  }

  @Test func `Zingers go and noise stays`() {
    let image = Self.projection(photons: 20_000, seed: 2)
    var hit = image
    let hits = [(0, 0, 3), (20, 30, 1), (20, 31, 2), (69, 44, 1), (40, 44, 0.6), (50, 2, 10)] as [(Int, Int, Float)]
    for (row, column, charge) in hits { hit[row * Self.columns + column] += charge }
    let count = ZingerFilter(rows: Self.rows, columns: Self.columns, threshold: 0.3).apply(
      &hit, executor: SerialExecutor())
    #expect(count == hits.count)
    for index in image.indices { #expect(abs(hit[index] - image[index]) < 0.15, "pixel \(index)") }
  }
}
