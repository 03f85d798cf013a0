/// Mean and scatter of a gauge in quiet times: of its first values all alike (B. P. Welford, Technometrics 4, 1962),
/// then of the newer ones with weights that fall (T. Finch, Incremental calculation of weighted mean and variance,
/// Cambridge 2009), so that a beam that decays over hours is no alarm. Values that are far off are not learnt.
struct Baseline {
  /// Values until it is known: ten seconds of a gauge that has a new one at each look.
  static let warmUp = 100
  /// Values that the mean follows: a minute.
  static let memory = 600.0
  /// Values farther off, in standard deviations, are not followed.
  static let learntMax = 3.0

  private let scatterMin: (share: Double, value: Double)
  private(set) var count = 0
  private(set) var mean = 0.0
  private(set) var variance = 0.0
  private var squares = 0.0

  init(scatterMin: (share: Double, value: Double)) { self.scatterMin = scatterMin }

  /// What a deviation is measured in.
  var scatter: Double {
    max(variance.squareRoot(), scatterMin.share * abs(mean), scatterMin.value, .leastNormalMagnitude)
  }

  /// Takes the next value and gives how far it is off, in standard deviations of those before; nil during the warm-up.
  mutating func deviation(_ value: Double) -> Double? {
    guard count >= Self.warmUp else {
      count += 1
      let step = value - mean
      mean += step / Double(count)
      squares += step * (value - mean)
      variance = count > 1 ? squares / Double(count - 1) : 0
      return nil
    }
    let deviation = (value - mean) / scatter
    if abs(deviation) <= Self.learntMax {
      let (step, part) = (value - mean, 1 / Self.memory)
      mean += part * step
      variance = (1 - part) * (variance + part * step * step)
    }
    return deviation
  }
}
