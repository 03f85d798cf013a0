/// The median of a window that slides along a line; beyond its ends the outermost values are repeated. Values are
/// finite.
struct SlidingMedian {
  private let window: Int
  /// The window's values in order.
  private var ordered: [Float]

  /// An odd window.
  init(window: Int) {
    precondition(window > 0 && window % 2 == 1, "a median of \(window)")
    self.window = window
    ordered = Array(repeating: 0, count: window)
  }

  mutating func apply(_ values: UnsafePointer<Float>, count: Int, into output: UnsafeMutablePointer<Float>) {
    let half = window / 2
    for index in 0..<window { ordered[index] = values[min(max(index - half, 0), count - 1)] }
    ordered.sort()
    ordered.withUnsafeMutableBufferPointer { [window] ordered in
      output[0] = ordered[half]
      for index in 1..<max(1, count) {
        Self.replace(
          values[max(index - 1 - half, 0)], by: values[min(index + half, count - 1)], in: ordered.baseAddress!,
          count: window)
        output[index] = ordered[half]
      }
    }
  }

  /// Takes one value out of the ordered window and puts another in.
  private static func replace(_ old: Float, by new: Float, in ordered: UnsafeMutablePointer<Float>, count: Int) {
    var (low, high) = (0, count - 1)
    while low < high {
      let middle = (low + high) / 2
      if ordered[middle] < old { low = middle + 1 } else { high = middle }
    }
    while low + 1 < count, ordered[low + 1] < new {
      ordered[low] = ordered[low + 1]
      low += 1
    }
    while low > 0, ordered[low - 1] > new {
      ordered[low] = ordered[low - 1]
      low -= 1
    }
    ordered[low] = new
  }
}
