import Tomography

extension ScanKey {
  /// What is done to data and volume beside the reconstruction.
  static let filters = [
    ScanKey(
      .filters, "zingers", \.zingers,
      "Remove pixels that are brighter than the median around them by this fraction, as 0.5.",
      unset: "they are left", .within(ZingerFilter.thresholds)),
    ScanKey(
      .filters, "paganin", \.paganin,
      "Retrieve phases from one distance (Paganin's filter); values in keV, mm, µm and a number.",
      unset: "no phase retrieval"),
    ScanKey(
      .filters, "stripe-removal", \.stripeRemoval,
      """
      Remove stripes, which become rings, from the sinograms of the final iterations: vo. Windows are left as they are.
      """
    ),
    ScanKey(
      .filters, "denoise", \.denoise,
      """
      Also write the final volume denoised: tv (total variation), nlm (non-local means) or median, \
      at a strength where 1 suits its noise; or by program:PATH.
      """
    ),
  ]
}
