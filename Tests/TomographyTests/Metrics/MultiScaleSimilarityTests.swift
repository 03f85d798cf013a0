import Foundation
import Testing
import Tomography

/// MS-SSIM against two implementations of their own: Tools/reference-msssim.py (SciPy, no disc), and a direct sum in
/// double precision (disc).
@Suite struct MultiScaleSimilarityTests {
  /// What Tools/reference-msssim.py prints.
  private static let scores = [
    0.98045123,
    0.98797379,
    0.82730483,
    0.98075658,
    0.79300095,
    0.88560881,
    0.95036548,
    0.89676878,
    0.98163522,
    0.69871504,
    0.73421046,
    0.96546105,
    0.90097580,
    0.98295005,
    0.57143517,
    0.64899095,
    0.93666453,
    0.87259796,
    0.98266490,
    0.52325106,
  ]

  @Test func `Twenty pairs of images score as with an independent implementation`() {
    #expect(Self.scores.count == 20)
    for (number, score) in Self.scores.enumerated() {
      let pair = TestPair(number: number)
      #expect(
        abs(pair.score(radiusFraction: nil) - score) < 1e-4,
        "pair \(number): \(pair.score(radiusFraction: nil)), expected \(score)")
    }
  }

  @Test(arguments: [(0, 176, 0.42), (3, 181, 0.3), (4, 60, 0.42), (2, 23, 0.45), (1, 11, 0.42)])
  func `In a disc the score is that of a direct sum in double precision`(
    number: Int, columns: Int, radiusFraction: Double
  ) {
    let pair = TestPair(number: number).cropped(to: columns)
    let direct = DirectSimilarity(columns: columns, radiusFraction: radiusFraction).score(pair.first, pair.second)
    let score = pair.score(radiusFraction: radiusFraction)
    #expect(abs(score - direct) < 1e-4, "\(score), expected \(direct)")
    #expect(abs(direct - pair.score(radiusFraction: nil)) > 1e-9 || columns == 11)
  }

  @Test func `Pixels that no window of the disc reaches do not count`() {
    var pair = TestPair(number: 19)
    let score = pair.score(radiusFraction: 0.15)
    for column in 0..<pair.columns { pair.first[column] = .nan }
    #expect(pair.score(radiusFraction: 0.15) == score)
    #expect(pair.score(radiusFraction: nil).isNaN)
  }

  @Test func `Equal slices score 1, unlike ones less, and the order does not matter`() {
    let pair = TestPair(number: 9)
    let same = MultiScaleSimilarity(columns: pair.columns, range: 0...1, radiusFraction: 0.42)
    let first = pair.first.withUnsafeBufferPointer { image in same.score(image, image) }
    #expect(abs(first - 1) < 1e-6)
    let swapped = TestPair(columns: pair.columns, first: pair.second, second: pair.first)
    #expect(abs(swapped.score(radiusFraction: 0.42) - pair.score(radiusFraction: 0.42)) < 1e-6)
    let negative = TestPair(columns: pair.columns, first: pair.first, second: pair.first.map { 1 - $0 })
    #expect(negative.score(radiusFraction: nil) == 0)
  }

  @Test func `The grey range scales both slices`() {
    let pair = TestPair(number: 6)
    let scaled = TestPair(
      columns: pair.columns, first: pair.first.map { 0.02 * $0 - 0.004 }, second: pair.second.map { 0.02 * $0 - 0.004 })
    #expect(abs(scaled.score(range: -0.004...0.016, radiusFraction: 0.42) - pair.score(radiusFraction: 0.42)) < 1e-4)
  }

  @Test func `A slice of 1024 columns is scored fast enough to watch a scan`() {
    let columns = 1024
    let first = (0..<columns * columns).map { Float($0 % 1000) / 1000 }, second = first.map { 1 - $0 }
    let pair = TestPair(columns: columns, first: first, second: second)
    // Time of this thread alone, and the best of some, since the machine may be busy: 20 ms where it is not.
    let best = (0..<8).map { _ in
      let start = threadNanoseconds()
      _ = pair.score(radiusFraction: nil)
      return threadNanoseconds() - start
    }.min()
    #expect((best ?? .max) < 50_000_000, "\((best ?? 0) / 1000) µs")
  }

  @Test func `Of one scale the score is that of slices averaged so often`() {
    let pair = TestPair(number: 4)
    func score(_ pair: TestPair, scale: Int?) -> Double {
      let comparison = MultiScaleSimilarity(
        columns: pair.columns, range: 0...1, radiusFraction: nil, scale: scale)
      return pair.first.withUnsafeBufferPointer { first in
        pair.second.withUnsafeBufferPointer { comparison.score(first, $0) }
      }
    }
    let halved = TestPair(columns: pair.columns / 2, first: halved(pair.first), second: halved(pair.second))
    for scale in 2...4 {
      #expect(abs(score(pair, scale: scale) - score(halved, scale: scale - 1)) < 1e-5, "scale \(scale)")
    }
    // Noise is in the pixels, not in their means.
    #expect((2...5).allSatisfy { score(pair, scale: $0) > score(pair, scale: $0 - 1) })
    let small = pair.cropped(to: 11)
    #expect(abs(score(small, scale: 1) - score(small, scale: nil)) < 1e-9)
  }

  /// Means of 2 × 2 pixels.
  private func halved(_ image: [Float]) -> [Float] {
    let columns = Int(Double(image.count).squareRoot()), half = columns / 2
    return (0..<half * half).map { pixel in
      let corner = pixel / half * 2 * columns + pixel % half * 2
      return 0.25 * (image[corner] + image[corner + 1] + image[corner + columns] + image[corner + columns + 1])
    }
  }

  @Test func `Small slices have fewer scales`() {
    #expect([11, 21, 41, 81, 161, 1024].map(MultiScaleSimilarity.scaleCount) == [1, 2, 3, 4, 5, 5])
    #expect(MultiScaleSimilarity.scaleCount(columns: 10) == 0)
  }
}

private func threadNanoseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// The image pairs of Tools/reference-msssim.py.
private struct TestPair {
  let columns: Int
  var first: [Float]
  var second: [Float]

  init(columns: Int, first: [Float], second: [Float]) {
    (self.columns, self.first, self.second) = (columns, first, second)
  }

  init(number: Int) {
    let size = 176 + 7 * number
    var random = Random(state: UInt64(number))
    let discs = (0..<12).map { _ in (x: random.unit(), y: random.unit(), r: random.unit(), v: random.unit()) }
    var image = [Double](repeating: 0, count: size * size)
    for disc in discs {
      let radius = disc.r * 0.25 * Double(size)
      for y in 0..<size {
        for x in 0..<size {
          let dx = Double(x) - disc.x * Double(size), dy = Double(y) - disc.y * Double(size)
          if dx * dx + dy * dy <= radius * radius { image[y * size + x] += (disc.v - 0.25) * 0.5 }
        }
      }
    }
    for index in image.indices { image[index] += random.unit() * 0.05 }
    let strength = 0.05 + 0.02 * Double(number)
    func rolled(_ image: [Double], _ dy: Int, _ dx: Int) -> [Double] {
      image.indices.map { image[(($0 / size + size - dy) % size) * size + ($0 % size + size - dx) % size] }
    }
    var other = image
    if [0, 4].contains(number % 5) { for index in other.indices { other[index] += (random.unit() - 0.5) * strength } }
    if number % 5 == 1 { other = other.map { $0 * (1 - strength) + 0.1 } }
    if [2, 4].contains(number % 5) { other = rolled(other, 1 + number % 3, 2) }
    if number % 5 == 3 {
      let (down, right, both) = (rolled(other, 1, 0), rolled(other, 0, 1), rolled(other, 1, 1))
      other = other.indices.map { (other[$0] + down[$0] + right[$0] + both[$0]) * 0.25 }
    }
    self.init(columns: size, first: image.map { Float($0) }, second: other.map { Float($0) })
  }

  func cropped(to size: Int) -> TestPair {
    // From the middle, where the discs are.
    let offset = (columns - size) / 2
    func crop(_ image: [Float]) -> [Float] {
      (0..<size * size).map { image[(offset + $0 / size) * columns + offset + $0 % size] }
    }
    return TestPair(columns: size, first: crop(first), second: crop(second))
  }

  func score(range: ClosedRange<Float> = 0...1, radiusFraction: Double?) -> Double {
    first.withUnsafeBufferPointer { first in
      second.withUnsafeBufferPointer { second in
        MultiScaleSimilarity(columns: columns, range: range, radiusFraction: radiusFraction).score(first, second)
      }
    }
  }
}

/// Steele, Lea and Flood's generator, as in Tools/reference-msssim.py.
private struct Random {
  var state: UInt64

  mutating func unit() -> Double {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return Double((z ^ (z >> 31)) >> 11) * 0x1p-53
  }
}

/// The definition, window by window.
private struct DirectSimilarity {
  let columns: Int
  let radiusFraction: Double
  private static let weights = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]

  func score(_ first: [Float], _ second: [Float]) -> Double {
    var (a, b, size) = (first.map(Double.init), second.map(Double.init), columns)
    var terms: [(Double, Double)] = []
    var (sizes, next) = ([Int](), columns)
    while next >= 11, sizes.count < 5 { (sizes, next) = (sizes + [next], (next + 1) / 2) }
    let total = sizes.count == 5 ? 1 : Self.weights[..<sizes.count].reduce(0, +)
    for scale in sizes.indices {
      let isLast = scale == sizes.count - 1
      terms.append((mean(a, b, size, withLuminance: isLast), Self.weights[scale] / total))
      (a, b, size) = (halved(a, size), halved(b, size), (size + 1) / 2)
    }
    return terms.reduce(1) { $0 * pow(max($1.0, 0), $1.1) }
  }

  private func mean(_ a: [Double], _ b: [Double], _ size: Int, withLuminance: Bool) -> Double {
    let taps = (0..<11).map { exp(-Double(($0 - 5) * ($0 - 5)) / 4.5) }
    let norm = taps.reduce(0, +)
    let (radius, half) = (radiusFraction * Double(size), Double(size) / 2)
    var (sum, count) = (0.0, 0)
    for y in 5..<size - 5 {
      for x in 5..<size - 5 {
        let dy = Double(y) + 0.5 - half, dx = Double(x) + 0.5 - half
        guard dy * dy + dx * dx <= radius * radius else { continue }
        var (ma, mb, aa, bb, ab) = (0.0, 0.0, 0.0, 0.0, 0.0)
        for j in 0..<11 {
          for i in 0..<11 {
            let weight = taps[i] * taps[j] / (norm * norm)
            let index = (y + j - 5) * size + x + i - 5
            ma += weight * a[index]
            mb += weight * b[index]
            aa += weight * a[index] * a[index]
            bb += weight * b[index] * b[index]
            ab += weight * a[index] * b[index]
          }
        }
        let (c1, c2) = (0.0001, 0.0009)
        var value = (2 * (ab - ma * mb) + c2) / (aa - ma * ma + bb - mb * mb + c2)
        if withLuminance { value *= (2 * ma * mb + c1) / (ma * ma + mb * mb + c1) }
        sum += value
        count += 1
      }
    }
    return sum / Double(count)
  }

  private func halved(_ image: [Double], _ size: Int) -> [Double] {
    let half = (size + 1) / 2
    return (0..<half * half).map { index in
      let (y, x) = (index / half * 2, index % half * 2)
      let (below, right) = (min(y + 1, size - 1), min(x + 1, size - 1))
      return (image[y * size + x] + image[y * size + right] + image[below * size + x] + image[below * size + right]) / 4
    }
  }
}
