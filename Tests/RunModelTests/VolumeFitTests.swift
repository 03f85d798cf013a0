import Foundation
import RunModel
import Testing

@Suite struct VolumeFitTests {
  private func fit(_ residual: Float) -> RowFit { RowFit(noise: 0.01, weight: 2e-4, scale: 0.02, residual: residual) }

  @Test func `The median of the rows counts, and the worst row is named by its slice`() throws {
    let fits = [0.9, 1.02, 2, .nan, 1].map(fit)
    let volume = try #require(VolumeFit(fits, unit: 500, firstSlice: 7))
    for (value, expected) in [(volume.noise, 0.01), (volume.weight, 0.1), (volume.scale, 10)] as [(Float, Float)] {
      #expect(abs(value - expected) <= 1e-6 * expected)
    }
    #expect(volume.residualOverNoise == 1.02 && volume.residualOverNoiseWorst == 2 && volume.worstRow == 9)
    #expect(
      volume.words
        == "noise of a line integral 0.01, weight 0.1, attenuation 10.0; "
        + "residual 1.02 of the noise, at most 2.0 in slice 9"
    )
    #expect(volume.facts["residual_over_noise"] == "1.02" && volume.facts["residual_over_noise_worst_slice"] == "9")
  }

  @Test func `More than the noise is warned of, with what may be the reason`() throws {
    for (residual, isWarned) in [(1.14, false), (1.16, true)] as [(Float, Bool)] {
      let warning = try #require(VolumeFit([fit(residual)], unit: 1, firstSlice: 0)).warning
      #expect((warning != nil) == isWarned)
      if let warning {
        for reason in ["1.16", "rings", "--rotation-axis", "moved"] { #expect(warning.contains(reason)) }
      }
    }
  }

  @Test func `Where the noise comes from the residual there is no ratio, and no warning`() throws {
    let volume = try #require(VolumeFit([fit(.nan), fit(.nan)], unit: 1, firstSlice: 0))
    #expect(volume.residualOverNoise == nil && volume.worstRow == nil && volume.warning == nil)
    #expect(
      volume.facts.keys.sorted() == [
        "attenuation_scale", "line_integral_noise", "penalty_weight", "projection_precision",
      ])
  }

  @Test func `Slices in float and projections made once more are counted and told`() throws {
    let none = try #require(VolumeFit([fit(1)], unit: 1, firstSlice: 0))
    #expect(none.floatSlices == 0 && none.outgrownProjections == 0 && none.precisionNotice == nil)
    var fits = [fit(1), fit(1), fit(1)]
    (fits[0].isFloat, fits[1].outgrownCount, fits[2].outgrownCount) = (true, 2, 3)
    let volume = try #require(VolumeFit(fits, unit: 1, firstSlice: 0))
    #expect(volume.floatSlices == 1 && volume.outgrownProjections == 5)
    for words in ["1 slice was projected in float", "--zingers", "5 projections of slices were"] {
      #expect(volume.precisionNotice?.contains(words) == true)
    }
    #expect(none.precision == "fixed" && none.facts["projection_precision"] == "fixed")
    #expect(volume.precision == "mixed" && volume.facts["slices_in_float"] == "1")
    #expect(volume.precisionWords == "1 slice projected in float, the others in fixed point")
    let asked = try #require(VolumeFit([fit(1)], unit: 1, firstSlice: 0, asksForFloat: true))
    #expect(asked.precision == "float" && asked.precisionNotice == nil)
    for index in fits.indices { fits[index].isFloat = true }
    #expect(VolumeFit(fits, unit: 1, firstSlice: 0)?.precision == "float")
    let text = String(decoding: try JSONEncoder().encode(fits), as: UTF8.self)
    #expect(try JSONDecoder().decode([RowFit].self, from: Data(text.utf8)) == fits)
  }

  @Test func `Of no row, or of rows without a number, nothing is said`() {
    #expect(VolumeFit([], unit: 1, firstSlice: 0) == nil)
    #expect(VolumeFit([.unknown], unit: 1, firstSlice: 0) == nil)
  }

  @Test func `A row comes back from JSON, also where something of it is no number`() throws {
    let fits = [fit(1.5), .unknown]
    let text = String(decoding: try JSONEncoder().encode(fits), as: UTF8.self)
    #expect(text.hasSuffix(",[null,null,null,null,0,0]]"), "\(text)")
    let back = try JSONDecoder().decode([RowFit].self, from: Data(text.utf8))
    #expect(back[0] == fits[0] && back[1].noise.isNaN && back[1].residual.isNaN)
  }
}
