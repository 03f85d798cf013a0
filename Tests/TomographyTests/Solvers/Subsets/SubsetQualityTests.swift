import Testing

@testable import Simulation
@testable import Tomography

/// How good the pictures are.
@Suite struct SubsetQualityTests {
  private static let foam = NoisyFoamScan(columns: 128, angles: 180, noise: 0.01, seed: 31)
  private static let standard = foam.scan().solve(SubsetOptions(nonNegative: true), noise: [foam.sigma])

  @Test func `a foam is far better than by any filter, and fits its noise`() {
    let quality = Self.foam.quality(Self.standard.slices[0]), filtered = Self.foam.bestFiltered
    #expect(quality >= filtered + 4, "\(quality) dB, filtered \(filtered)")
    #expect(Self.foam.scan().subsetSolver(SubsetOptions()).sweepCount == 7)
    let ratio = Self.standard.reports[0].residualOverNoise ?? 0
    #expect(ratio > 0.9 && ratio < 1.15, "\(ratio)")
  }

  @Test func `twice the sweeps change little`() {
    var options = SubsetOptions(nonNegative: true)
    options.sweeps = 14
    let once = Self.foam.quality(Self.standard.slices[0]), twice = Self.foam.quality(options)
    #expect(abs(twice - once) <= 0.1, "\(once) dB, then \(twice)")
  }

  @Test func `fast comes near in four sweeps, and without flats little is lost`() {
    let quality = Self.foam.quality(Self.standard.slices[0])
    let fast = Self.foam.quality(SubsetOptions(preset: .fast, nonNegative: true))
    #expect(fast > quality - 1, "\(fast) of \(quality) dB")
    let blind = Self.foam.scan().solve(SubsetOptions(nonNegative: true), noise: nil)
    let blindQuality = Self.foam.quality(blind.slices[0])
    #expect(
      blindQuality > quality - 0.5 && blind.reports[0].residualOverNoise == nil, "\(blindQuality) of \(quality) dB")
  }

  @Test func `data in another unit give the volume in that unit`() {
    let scaled = Self.foam.scan(times: 1000)
      .solve(SubsetOptions(nonNegative: true), noise: [1000 * Self.foam.sigma])
    let distance = relativeDistance(
      scaled.slices[0].map { Double($0) / 1000 }, Self.standard.slices[0].map(Double.init))
    #expect(distance < 1e-3, "\(distance)")
  }

  @Test func `fixed point is as good as float to a hundredth of a decibel`() {
    var options = SubsetOptions(nonNegative: true)
    options.precision = .float
    let float = Self.foam.quality(options), fixed = Self.foam.quality(Self.standard.slices[0])
    #expect(!Self.standard.reports[0].isFloat && abs(float - fixed) < 0.01, "\(float) dB, in fixed point \(fixed)")
  }

  /// Some bins are much larger than all others: a zinger, or a stripe.
  @Test(arguments: [300, 30_000] as [Float]) func `zingers cost no accuracy in fixed point`(height: Float) {
    let scan = Self.foam.scan()
    for (slot, bin) in [(20, 60), (90, 30), (91, 100)] {
      var line = Self.foam.data[slot]
      line[bin] += height * Self.foam.sigma
      scan.set(projection: line, slot: slot)
    }
    func solved(_ precision: SubsetOptions.Precision) -> (quality: Double, isFloat: Bool) {
      var options = SubsetOptions(nonNegative: true)
      options.precision = precision
      let result = scan.solve(options, noise: [Self.foam.sigma])
      return (Self.foam.quality(result.slices[0]), result.reports[0].isFloat)
    }
    let auto = solved(.auto), float = solved(.float)
    #expect(auto.isFloat == (height > 2000))
    #expect(abs(auto.quality - float.quality) < 0.01, "\(auto) and \(float)")
  }

  @Test func `a sample that leaves the detector is better on a padded grid`() {
    let wide = NoisyFoamScan(columns: 160, angles: 120, noise: 0.003, seed: 4), columns = 128, cut = 16
    let scan = Scan(columns: columns, thetas: wide.thetas)
    for (slot, line) in wide.data.enumerated() {
      scan.set(projection: Array(line[cut..<cut + columns]), slot: slot)
    }
    let truth = (0..<columns * columns).map { wide.truth[($0 / columns + cut) * 160 + $0 % columns + cut] }
    func quality(padding: Int) -> Double {
      let slice = scan.solve(SubsetOptions(nonNegative: true), noise: [wide.sigma], padding: padding).slices[0]
      return slice.withUnsafeBufferPointer { slice in
        truth.withUnsafeBufferPointer { psnr(slice, reference: $0, columns: columns, radiusFraction: 0.45) }
      }
    }
    let (plain, padded) = (quality(padding: 0), quality(padding: SubsetSolver.padding(columns: columns)))
    #expect(padded >= plain + 2, "\(plain) dB, padded \(padded)")
  }
}
