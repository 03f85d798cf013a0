import Host
import PhantomSupport
import Testing

@testable import Simulation
@testable import Tomography

@Suite struct StripeTests {
  private static let (angles, columns) = (240, 256)

  /// Line integrals of a foam, with noise like that of 40,000 photons.
  private static let clean: [Float] = {
    let foam = Foam(rows: 1, columns: columns, seed: 1)
    var random = SplitMix64(seed: 3)
    var lines = [Float](repeating: 0, count: columns)
    return (0..<angles).flatMap { angle in
      lines.withUnsafeMutableBufferPointer {
        foam.lineIntegrals(
          row: 0, theta: Double(angle) * .pi / Double(angles), columns: columns, rotationAxis: Double(columns) / 2,
          into: $0)
      }
      return lines.map { $0 + Float(random.poisson(mean: 40_000) - 40_000) / 40_000 }
    }
  }()

  private static func filtered(_ sinogram: [Float]) -> [Float] {
    var sinogram = sinogram
    let filter = StripeFilter(angles: angles, columns: columns)
    let scratch = UnsafeMutableRawPointer.allocate(byteCount: filter.scratchByteCount, alignment: 64)
    defer { scratch.deallocate() }
    filter.apply(&sinogram, scratch: scratch)
    return sinogram
  }

  /// The mean distance from the clean sinogram, in these columns.
  private static func distance(_ sinogram: [Float], _ columns: Range<Int>) -> Double {
    var sum = 0.0
    for angle in 0..<angles {
      for column in columns {
        sum += Double(abs(sinogram[angle * self.columns + column] - clean[angle * self.columns + column]))
      }
    }
    return sum / Double(angles * columns.count)
  }

  private static func with(_ columns: Range<Int>, _ change: (Float, Int) -> Float) -> [Float] {
    var sinogram = clean
    for angle in 0..<angles {
      for column in columns {
        sinogram[angle * self.columns + column] = change(clean[angle * self.columns + column], angle)
      }
    }
    return sinogram
  }

  @Test func `A sinogram without stripes stays nearly as it is`() {
    let filtered = Self.filtered(Self.clean)
    let norm = Self.clean.reduce(0.0) { $0 + Double($1 * $1) }.squareRoot()
    let change = zip(filtered, Self.clean).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }.squareRoot()
    #expect(change / norm < 0.01, "relative change \(change / norm)")
  }

  /// Where the sample changes fast or hardly: a shell, the axis, edges, few columns.
  @Test(arguments: [(64, 90), (64, 240), (128, 180), (256, 240)])
  func `No disk and no shell is taken for a stripe`(columns: Int, angles: Int) {
    var random = SplitMix64(seed: 5)
    let round = EllipsePhantom(
      fullWidthIntegral: 4,
      shapes: [
        Ellipse(x: 0, y: 0, a: 0.8, value: 1), Ellipse(x: 0, y: 0, a: 0.3, value: -0.5),
        Ellipse(x: 0.5, y: 0.1, a: 0.05, value: 1),
      ])
    for phantom in [SheppLogan(), Foam(rows: 1, columns: columns, seed: 4), round] as [any Phantom] {
      let thetas = (0..<angles).map { Double($0) * .pi / Double(angles) }
      let exact = phantom.sinogram(thetas: thetas, columns: columns, rotationAxis: Double(columns) / 2)
      for noise in [0, 0.01] as [Float] {
        let clean = exact.map { $0 + noise * Float(random.unit() + random.unit() + random.unit() - 1.5) }
        var filtered = clean
        let filter = StripeFilter(angles: angles, columns: columns)
        let scratch = UnsafeMutableRawPointer.allocate(byteCount: filter.scratchByteCount, alignment: 64)
        defer { scratch.deallocate() }
        filter.apply(&filtered, scratch: scratch)
        let norm = clean.reduce(0.0) { $0 + Double($1 * $1) }.squareRoot()
        let change = zip(filtered, clean).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }.squareRoot()
        #expect(change / norm < 0.005, "\(type(of: phantom)), noise \(noise): relative change \(change / norm)")
      }
    }
  }

  @Test(arguments: [
    ("thin", 100..<101, 0.1), ("double", 60..<62, 0.15), ("wide", 140..<146, 0.15),
  ])
  func `A stripe over all angles is lowered at least fivefold`(name: String, columns: Range<Int>, height: Float) {
    let striped = Self.with(columns) { value, _ in value + height }
    let (before, after) = (Self.distance(striped, columns), Self.distance(Self.filtered(striped), columns))
    #expect(after < before / 5, "\(name): \(before) → \(after)")
  }

  @Test func `A pixel that does not respond, and one that fluctuates, are interpolated`() {
    var random = SplitMix64(seed: 12)
    for (columns, change) in [
      (120..<122, { _, _ in 0.7 }), (90..<91, { value, _ in value + Float(random.unit() - 0.5) }),
    ] as [(Range<Int>, (Float, Int) -> Float)] {
      let striped = Self.with(columns, change)
      let (before, after) = (Self.distance(striped, columns), Self.distance(Self.filtered(striped), columns))
      #expect(after < before / 5, "columns \(columns): \(before) → \(after)")
    }
  }

  @Test func `A sliding median is the median of each window`() {
    var random = SplitMix64(seed: 7)
    let values = (0..<80).map { _ in Float(random.next() % 9) }
    for window in [1, 3, 9, 101] {
      var (found, sliding) = ([Float](repeating: .nan, count: 80), SlidingMedian(window: window))
      sliding.apply(values, count: 80, into: &found)
      let expected = values.indices.map { index in
        (index - window / 2...index + window / 2).map { values[min(max($0, 0), 79)] }.sorted()[window / 2]
      }
      #expect(found == expected, "window \(window)")
    }
  }

  /// Algorithm 4: the sorted values' middle half lies on the line 1 + 0.001 i, whose rise over 101 values is 0.1.
  @Test func `What stands out from a line of values is found, with its neighbours`() {
    var values = (0..<101).map { 1 + 0.001 * Double($0 * 37 % 101) }
    #expect(!outOfLine(values).contains(true))
    values[50] = 1.45
    #expect(outOfLine(values).indices.filter { outOfLine(values)[$0] } == [49, 50, 51])
    values[0] = 0.5
    #expect(outOfLine(values).indices.filter { outOfLine(values)[$0] } == [0, 1, 49, 50, 51])
  }
}
