extension ScanKey {
  /// What is done to data and volume beside the reconstruction.
  static let filters = [
    ScanKey(
      .filters, "stripe-removal", \.stripeRemoval,
      "Remove stripes, which become rings, from the sinograms of the final iterations: vo. Windows are left as they are."),
    ScanKey(
      .filters, "denoise", \.denoise,
      "Also write the final volume denoised: tv (total variation), nlm (non-local means) or median, at a strength where 1 suits its noise."),
  ]
}
