import ScanPlan
import Testing

@Suite struct VolumeIntervalTests {
  /// Radians of so many projections, `step` degrees apart, taken back to below `modulus` degrees.
  private func thetas(_ count: Int, step: Double, modulus: Double = .infinity) -> [Double] {
    (0..<count).map { index in
      let angle = Double(index) * step
      return (modulus.isFinite ? angle - (angle / modulus).rounded(.down) * modulus : angle) * .pi / 180
    }
  }

  @Test(arguments: [Double.infinity, 360, 180]) func `Half turns follow the rotation`(modulus: Double) throws {
    // 180 / 4 projections; those beyond the fourth half turn make none.
    let parts = try VolumeInterval.halfTurn.parts(thetas: thetas(190, step: 4, modulus: modulus))
    #expect(parts == [0..<45, 45..<90, 90..<135, 135..<180])
    // The other way round.
    let back = try VolumeInterval.halfTurn.parts(thetas: thetas(90, step: 4, modulus: modulus).map { -$0 })
    #expect(back == [0..<45, 45..<90])
  }

  @Test func `Borders stay at half turns where these are no whole number of steps`() throws {
    // 38.3 projections a half turn: the borders are at 38.3, 76.6, 114.9 and 153.2.
    #expect(
      try VolumeInterval.halfTurn.parts(thetas: thetas(160, step: 4.7)) == [0..<38, 38..<77, 77..<115, 115..<153])
  }

  @Test func `Uneven angles make no half turns, and too few no volume`() {
    let golden = (0..<90).map { Double($0) * 137.508 * .pi / 180 }.map { $0.truncatingRemainder(dividingBy: .pi) }
    var jump = thetas(90, step: 4)
    for index in 30..<90 { jump[index] += 0.3 }
    let back = (0..<45).map { 4 * Double($0) * .pi / 180 }
    for (thetas, words) in [
      (back + back.reversed(), "one way"), (golden, "half-turn"), (jump, "29 to 30"),
      (thetas(40, step: 4), "needs more than"),
    ] {
      let failure = #expect(throws: ScanFailure.self) { try VolumeInterval.halfTurn.parts(thetas: thetas) }
      #expect(failure?.description.contains(words) == true, "\(failure?.description ?? "")")
    }
    #expect(throws: ScanFailure.self) { try VolumeInterval.projections(41).parts(thetas: thetas(40, step: 4)) }
  }

  @Test func `A number of projections divides any scan`() throws {
    #expect(try VolumeInterval.projections(20).parts(thetas: Array(repeating: 0, count: 50)) == [0..<20, 20..<40])
  }

  @Test func `A part counts from where the used projections begin`() {
    var scan = ScanDescription(input: "scan.h5", outputFolder: "out")
    (scan.subset, scan.volumeEvery) = (ProjectionRange(100..<300), .projections(50))
    #expect(scan.part(50..<100).subset == ProjectionRange(150..<200) && scan.part(50..<100).volumeEvery == nil)
  }
}
