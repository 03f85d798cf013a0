import Glibc
import Host
import Testing

@testable import Simulation
@testable import Tomography

@Suite struct FBPSolverTests {
  @Test(arguments: 1...12)
  func `a window equals the formula written out`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let columns = Int.random(in: 1...20, using: &random), count = Int.random(in: 1...7, using: &random)
    let axis = Double(columns) * Double.random(in: 0.3...0.7, using: &random),
      filter = FBPOptions.Filter.allCases[Int(seed) % 4]
    let thetas = (0..<count).map { _ in Double.random(in: -4...4, using: &random) }
    let data = thetas.map { _ in (0..<columns).map { _ in Float.random(in: -1...4, using: &random) } }
    let scan = Scan(columns: columns, axis: axis, thetas: thetas)
    for slot in thetas.indices { scan.set(projection: data[slot], slot: slot) }
    scan.set(slice: [Float](repeating: 7, count: columns * columns))
    let residual = scan.solve(.filteredBackprojection(FBPOptions(filter: filter)), iterations: 1)
    let reference = JosephReference(columns: columns, axis: axis), weights = angularWeights(thetas)
    var expected = [Double](repeating: 0, count: columns * columns)
    for (angle, theta) in thetas.enumerated() {
      let filtered = Self.filtered(data[angle].map(Double.init), filter)
      for bin in 0..<columns {
        reference.forEachWeight(theta: theta, bin: bin) { expected[$0] += weights[angle] * $1 * filtered[bin] }
      }
    }
    #expect(
      relativeDistance(scan.slice().map(Double.init), expected) < 1e-5,
      "seed \(seed): \(columns) columns, \(count) angles, \(filter)")
    let squares = data.joined().reduce(0.0) { $0 + Double($1) * Double($1) }
    #expect(abs(residual.dataSquared - squares) < 1e-5 * squares && residual.residualSquared == residual.dataSquared)
  }

  /// The windowed ramp by a discrete Fourier transform written out.
  private static func filtered(_ row: [Double], _ filter: FBPOptions.Filter) -> [Double] {
    let length = RowFilter.length(columns: row.count)
    func turn(_ index: Int) -> Double { 2 * .pi * Double(index % length) / Double(length) }
    let response = (0..<length).map { index in
      let ramp = (0..<length).reduce(0.0) { sum, place in
        let distance = min(place, length - place)
        let tap = distance == 0 ? 0.25 : distance % 2 == 0 ? 0 : -1 / (.pi * .pi * Double(distance * distance))
        return sum + tap * cos(turn(index * place))
      }
      return ramp * filter.window(Double(min(index, length - index)) / Double(length / 2))
    }
    let kernel = (0..<row.count).map { place in
      (0..<length).reduce(0.0) { $0 + response[$1] * cos(turn($1 * place)) } / Double(length)
    }
    return row.indices.map { bin in row.indices.reduce(0.0) { $0 + kernel[abs(bin - $1)] * row[$1] } }
  }

  @Test func `windows fall from one, Hann and Parzen to zero`() {
    for filter in FBPOptions.Filter.allCases {
      #expect(filter.window(0) == 1)
      #expect(filter == .ramp || filter.window(0.3) > filter.window(0.6))
    }
    #expect(abs(FBPOptions.Filter.hann.window(1)) < 1e-12 && FBPOptions.Filter.parzen.window(1) == 0)
    #expect(
      abs(FBPOptions.Filter.parzen.window(0.5) - 0.25) < 1e-12
        && abs(FBPOptions.Filter.sheppLogan.window(1) - 2 / .pi) < 1e-12)
  }

  @Test func `row lengths are fast and have room`() {
    for columns in [1, 2, 37, 256, 640, 1000, 1293, 2048, 5000] {
      var rest = RowFilter.length(columns: columns)
      #expect(rest >= 2 * columns && rest % 4 == 0 && rest <= 2 * columns + columns / 4 + 8, "\(columns): \(rest)")
      for factor in [2, 3, 5] { while rest % factor == 0 { rest /= factor } }
      #expect(rest == 1)
    }
  }
}
