import Tomography

// What can be chosen about auto's final iterations.
extension ScanKey {
  static let subsets = [
    ScanKey(
      .method, "preset", \.preset,
      "Of auto: fast makes fewer sweeps, detail keeps faint cracks and more of the noise."),
    ScanKey(
      .method, "precision", \.precision,
      "Projections of auto: fixed point for all slices, float, or fixed point where it costs no accuracy."),
    ScanKey(
      .method, "weight", \.weight,
      "Weight of auto's penalty: a multiple of what the noise suggests, or 1/pixel; no more than 8x takes effect.",
      unset: "1x, with preset detail 0.4x, less of more than 180 columns"),
    ScanKey(
      .method, "tv-dimensions", \.tvDimensions,
      "Dimensions of auto's penalty: 2 within each slice, 3 over neighbouring slices too, which takes longer.",
      .within(2...3)),
    ScanKey(
      .method, "inner-steps", \.innerSteps, "Steps of auto's penalty in each subset.", unset: "2", .within(1...8)),
    ScanKey(
      .method, "momentum-max", \.momentumMax,
      "The most momentum of auto, less over subsets of one to three angles; 0 is none.", unset: "0.9", .within(0...1)),
    ScanKey(
      .method, "relaxed-sweeps", \.relaxedSweeps, "Last sweeps of auto, each with half the step of the one before.",
      unset: "2", .within(0...20)),
    ScanKey(
      .method, "doubled-sweeps", \.doubledSweeps, "First sweeps of auto, with twice the subsets.",
      unset: "0, with preset fast 2", .within(0...1000)),
    ScanKey(
      .method, "huber", \.huber,
      "Let auto's penalty be quadratic for differences below this part of the attenuation (Huber), as 0.03.",
      unset: "total variation", .within(1e-6...1e3)),
    ScanKey(
      .method, "count-weights", \.countWeights,
      "Let auto weigh line integrals by the photons that came through (penalised weighted least squares): for few."),
    ScanKey(
      .method, "padding", \.padding,
      "Pixels that auto's grid has more than the detector at each side; auto: a sixteenth where the sample leaves it."),
  ]
}

extension SubsetOptions.Preset: ScanValue {}
extension SubsetOptions.Precision: ScanValue {}
