internal import Histogram

/// A distribution of durations in nanoseconds, by HdrHistogram with three significant digits.
package struct Latency: Codable, Equatable, Sendable {
  /// How many durations.
  package var count: Int
  /// Half of them are at most this.
  package var p50: UInt64
  /// 99 of 100.
  package var p99: UInt64
  /// 999 of 1000; the largest one where there are fewer.
  package var p999: UInt64
  /// All of them.
  package var max: UInt64

  /// The distribution of `durations`; zeros for none.
  package init(_ durations: some Sequence<UInt64>) {
    var histogram = Histogram<UInt64>(highestTrackableValue: 3_600_000_000_000)
    histogram.autoResize = true
    var largest: UInt64 = 0
    for duration in durations {
      histogram.record(duration)
      largest = Swift.max(largest, duration)
    }
    count = Int(histogram.totalCount)
    // Exact: the histogram's own maximum is that of its bucket.
    max = largest
    (p50, p99, p999) = (0, 0, 0)
    guard count > 0 else { return }
    p50 = min(largest, histogram.valueAtPercentile(50))
    p99 = min(largest, histogram.valueAtPercentile(99))
    p999 = min(largest, histogram.valueAtPercentile(99.9))
  }

  enum CodingKeys: String, CodingKey {
    case count, p50, p99
    case p999 = "p99.9"
    case max
  }
}

/// The middle of some figures, the upper one of two.
func median(_ values: [Double]) -> Double {
  precondition(!values.isEmpty, "the median of nothing")
  return values.sorted()[values.count / 2]
}

/// Whether this is the product or a build for its makers.
var buildName: String {
  #if DEBUG
    "debug"
  #else
    "release"
  #endif
}
