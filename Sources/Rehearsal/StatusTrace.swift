/// How far a run was, as its status told while it went on: how long projections wait from when they are acquired to
/// when the slowest worker has taken them.
struct StatusTrace {
  private struct Sample {
    let time: Double
    let acquired: Int
    let reconstructed: Int
  }

  private var samples: [Sample] = []

  private static let samplesMax = 1_000_000

  /// Takes note of what a status that was written at a time, in seconds, tells. A run that was resumed has at first
  /// less than it had.
  mutating func add(acquired: Int, reconstructed: Int, at time: Double) {
    guard samples.count < Self.samplesMax, samples.last.map({ $0.time < time }) ?? true else { return }
    samples.append(
      Sample(
        time: time, acquired: max(acquired, samples.last?.acquired ?? 0),
        reconstructed: max(reconstructed, samples.last?.reconstructed ?? 0)))
  }

  /// Seconds that all but the slowest hundredth of the projections took at most; nil where no projection came, or one
  /// that did was not taken.
  var latency: Double? {
    guard let last = samples.last, last.acquired > 0, last.reconstructed >= last.acquired else { return nil }
    let came = moments(\.acquired, count: last.acquired), taken = moments(\.reconstructed, count: last.acquired)
    let latencies = zip(came, taken).map { max(0, $1 - $0) }.sorted()
    return latencies[min(latencies.count - 1, latencies.count * 99 / 100)]
  }

  /// When each of the first `count` projections was counted; between two samples they came evenly.
  private func moments(_ figure: KeyPath<Sample, Int>, count: Int) -> [Double] {
    var moments: [Double] = []
    moments.reserveCapacity(count)
    var before = Sample(time: samples[0].time, acquired: 0, reconstructed: 0)
    for sample in samples {
      let (first, next) = (before[keyPath: figure], sample[keyPath: figure])
      while moments.count < min(next, count) {
        let share = Double(moments.count + 1 - first) / Double(next - first)
        moments.append(before.time + share * (sample.time - before.time))
      }
      before = sample
    }
    return moments
  }
}
