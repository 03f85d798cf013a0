/// A figure of `bench quality` beside what is committed. All are ratios and differences within one run, which a faster
/// or busier machine does not change.
package struct QualityCheck: Codable, Equatable, Sendable {
  /// What it is.
  package let name: String
  /// What was measured; nil where the run has no such figure.
  package let value: Double?
  /// The least or the most that it may be.
  package let limit: Double
  /// Whether the limit is the most.
  package let isMost: Bool

  /// Whether the figure is there and within the limit.
  package var isMet: Bool { value.map { isMost ? $0 <= limit : $0 >= limit } ?? false }
}

extension QualityReport.Table {
  /// The committed limits, for foams of 96 to 512 columns whose noise is 1 % of the largest line integral. Foams of 96²
  /// with 90 angles (two slices, seeds 5, 21, 22) had 5.4 to 5.7 dB over FBP, 5.9 to 6.2 over SIRT, 1.24 of the detail,
  /// 9 sweeps, and were as good as SIRT after 2 of them, 7.8 to 8.1 times as fast.
  package var checks: [QualityCheck] {
    let (fbp, sirt) = (best("fbp"), best("sirt")), (auto, float) = (auto("standard"), auto(Self.floatVariant))
    func ratio(_ a: Double?, _ b: Double?) -> Double? { a.flatMap { a in b.map { a / $0 } } }
    func difference(_ a: Double?, _ b: Double?) -> Double? { a.flatMap { a in b.map { a - $0 } } }
    let precision = difference(auto?.known?.psnr, float?.known?.psnr).map(abs)
    return [
      least("dB of auto over the best fbp", difference(auto?.known?.psnr, fbp?.known?.psnr), 5),
      least("dB of auto over the best sirt", difference(auto?.known?.psnr, sirt?.known?.psnr), 5),
      least("detail of auto over the best fbp's", ratio(auto?.known?.detail, fbp?.known?.detail), 1.1),
      most("sweeps of auto", auto?.sweeps, 9),
      most("sweeps of auto until it is as good as the best sirt", overtaking?.sweeps, 3),
      least("time of the best sirt over auto's until there", ratio(sirt?.seconds, overtaking?.seconds), 4),
      most("dB between auto and auto in float", precision, 0.02),
    ]
  }

  /// Of standard auto projected in float.
  static let floatVariant = "float"

  private func least(_ name: String, _ value: Double?, _ limit: Double) -> QualityCheck {
    QualityCheck(name: name, value: value, limit: limit, isMost: false)
  }

  private func most(_ name: String, _ value: Double?, _ limit: Double) -> QualityCheck {
    QualityCheck(name: name, value: value, limit: limit, isMost: true)
  }
}
