/// How pixels of twice the edge lie over an axis of a slice, whose middle is that of theirs: a coarse pixel covers two
/// pixels, or one and two halves, or what there is of them.
struct AxisOverlap {
  /// Of one pixel, those of the other grid that it has a part in: `count`, at most three, with weights whose sum is 1.
  struct Share: Equatable {
    let first: Int
    let count: Int
    let weights: SIMD4<Float>
  }

  /// Of each coarse pixel, what it is the mean of.
  let means: [Share]
  /// Of each pixel, whose values it has: none where no coarse pixel reaches.
  let values: [Share]

  /// Of an axis with so many pixels, and so many coarse ones, which may be one pair more or half a pair less.
  init(pixels: Int, coarse: Int) {
    precondition(coarse >= 1 && abs(pixels - 2 * coarse) <= 2, "\(coarse) coarse pixels for \(pixels)")
    // In halves of a pixel, so that all edges are whole numbers.
    let offset = pixels - 2 * coarse
    func overlap(_ pixel: Int, _ coarse: Int) -> Int {
      let start = 4 * coarse + offset
      return max(0, min(2 * pixel + 2, start + 4) - max(2 * pixel, start))
    }
    means = (0..<coarse).map { index in
      let first = (4 * index + offset) / 2
      return Self.share(first - 1...first + 3, below: pixels) { overlap($0, index) }
    }
    values = (0..<pixels).map { pixel in
      let first = (2 * pixel - offset) / 4
      return Self.share(first - 1...first + 1, below: coarse) { overlap(pixel, $0) }
    }
  }

  private static func share(_ range: ClosedRange<Int>, below end: Int, _ overlap: (Int) -> Int) -> Share {
    let parts = range.filter { (0..<end).contains($0) && overlap($0) > 0 }
    let whole = Float(parts.reduce(0) { $0 + overlap($1) })
    var weights = SIMD4<Float>()
    for (index, part) in parts.enumerated() { weights[index] = Float(overlap(part)) / whole }
    return Share(first: parts.first ?? 0, count: parts.count, weights: weights)
  }
}
