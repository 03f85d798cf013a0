/// Whether a value is above the quantile of those before it. The quantile is estimated in five markers (P²; R. Jain and
/// I. Chlamtac, Communications of the ACM 28, 1985).
struct QuantileModel: AlarmModel {
  private var estimate: QuantileEstimate
  private var count = 0

  init(quantile: Double) { estimate = QuantileEstimate(quantile) }

  mutating func look(_ value: Double) -> Verdict? {
    defer {
      estimate.add(value)
      count += 1
    }
    guard count >= Baseline.warmUp, let usual = estimate.value else { return nil }
    return Verdict(isAlarm: value > usual, forecast: usual)
  }
}

/// A quantile of a stream of values, in constant memory.
struct QuantileEstimate {
  private var heights: [Double] = []
  private var positions = [1.0, 2, 3, 4, 5]
  private var wanted: [Double]
  private let steps: [Double]

  init(_ quantile: Double) {
    precondition(quantile > 0 && quantile < 1, "quantile \(quantile)")
    steps = [0, quantile / 2, quantile, (1 + quantile) / 2, 1]
    wanted = steps.map { 1 + 4 * $0 }
  }

  /// Nil before there are five values.
  var value: Double? { heights.count == 5 ? heights[2] : nil }

  mutating func add(_ value: Double) {
    guard heights.count == 5 else {
      heights.append(value)
      if heights.count == 5 { heights.sort() }
      return
    }
    let cell: Int
    if value < heights[0] {
      (heights[0], cell) = (value, 0)
    } else if value >= heights[4] {
      (heights[4], cell) = (value, 3)
    } else {
      cell = (1...3).last { heights[$0] <= value } ?? 0
    }
    for marker in (cell + 1)..<5 { positions[marker] += 1 }
    for marker in 0..<5 { wanted[marker] += steps[marker] }
    for marker in 1...3 { move(marker) }
  }

  private mutating func move(_ marker: Int) {
    let off = wanted[marker] - positions[marker]
    let (before, after) = (positions[marker] - positions[marker - 1], positions[marker + 1] - positions[marker])
    guard off >= 1 && after > 1 || off <= -1 && before > 1 else { return }
    let step = off >= 0 ? 1.0 : -1.0
    let parabola = parabolic(marker, step)
    let isBetween = heights[marker - 1] < parabola && parabola < heights[marker + 1]
    heights[marker] = isBetween ? parabola : linear(marker, Int(step))
    positions[marker] += step
  }

  private func parabolic(_ i: Int, _ step: Double) -> Double {
    let (n, q) = (positions, heights)
    return q[i] + step / (n[i + 1] - n[i - 1])
      * ((n[i] - n[i - 1] + step) * (q[i + 1] - q[i]) / (n[i + 1] - n[i])
        + (n[i + 1] - n[i] - step) * (q[i] - q[i - 1]) / (n[i] - n[i - 1]))
  }

  private func linear(_ i: Int, _ step: Int) -> Double {
    heights[i] + Double(step) * (heights[i + step] - heights[i]) / (positions[i + step] - positions[i])
  }
}
