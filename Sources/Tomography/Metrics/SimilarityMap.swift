import Glibc

/// The local similarity of two images, in windows that lie within them: rows are filtered once, and kept until no
/// window needs them.
///
/// ```
/// row y of both images ─► a, b, a² + b², a b ─ horizontal taps ─► ring of 11 filtered rows
///   ─ vertical taps ─► moments of row y − 10
/// ```
struct SimilarityMap {
  private typealias Vector = SIMD8<Float>
  private static let lanes = Vector.scalarCount
  private static let (c1, c2): (Float, Float) = (0.01 * 0.01, 0.03 * 0.03)
  private static let quantities = 4

  private let pair: ImagePair
  /// What was taken off every pixel.
  private let middle: Float
  /// In pixels; nil where every window counts.
  private let radius: Double?
  private let hasLuminance: Bool
  private let weights = Gaussian.weights

  /// `radiusFraction` is the disc's radius in columns.
  init(_ pair: ImagePair, middle: Float, radiusFraction: Double?, hasLuminance: Bool) {
    self.pair = pair
    self.middle = middle
    radius = radiusFraction.map { $0 * Double(pair.columns) }
    self.hasLuminance = hasLuminance
  }

  /// Windows a row and column; window (y, x) is centred on pixel (y + 5, x + 5).
  private var count: Int { pair.columns - Gaussian.taps + 1 }

  /// Windows of row `y` that count; the middle one always does.
  private func windows(row: Int) -> Range<Int> {
    guard let radius else { return 0..<count }
    let half = 0.5 * Double(pair.columns)
    let y = half - Double(row + Gaussian.reach) - 0.5
    guard abs(y) <= max(radius, 0.5) else { return 0..<0 }
    let reach = max(0, radius * radius - y * y).squareRoot()
    let first = max(0, min(Int((half - 0.5 - reach).rounded(.up)) - Gaussian.reach, (count - 1) / 2))
    return first..<count - first
  }

  /// The mean over all windows that count.
  var mean: Double {
    let rows = (0..<count).filter { !windows(row: $0).isEmpty }
    guard let firstRow = rows.first, let lastRow = rows.last else { return .nan }
    // The disc is widest in its middle.
    let widest = windows(row: (count - 1) / 2)
    let stride = pair.stride
    let scratch = UnsafeMutablePointer<Float>.allocate(capacity: (Gaussian.taps + 1) * Self.quantities * stride)
    scratch.initialize(repeating: 0, count: (Gaussian.taps + 1) * Self.quantities * stride)
    defer { scratch.deallocate() }
    let line = scratch, ring = scratch + Self.quantities * stride
    var (sum, windowCount) = (0.0, 0)
    for row in firstRow..<lastRow + Gaussian.taps {
      filter(row: row, columns: widest, line, into: ring + row % Gaussian.taps * Self.quantities * stride)
      let top = row - Gaussian.taps + 1
      guard top >= firstRow else { continue }
      let windows = windows(row: top)
      compare(top: top, windows, ring, into: line)
      sum += Self.sum(line, windows)
      windowCount += windows.count
    }
    return sum / Double(windowCount)
  }

  /// Filters one row of each quantity, as far as windows of `columns` reach.
  private func filter(
    row: Int, columns: Range<Int>, _ line: UnsafeMutablePointer<Float>, into target: UnsafeMutablePointer<Float>
  ) {
    let stride = pair.stride
    let a = pair.first + row * stride, b = pair.second + row * stride
    let squares = line, products = line + stride
    for column in columns.lowerBound..<min(columns.upperBound + Gaussian.taps - 1, pair.columns) {
      let (first, second) = (a[column], b[column])
      squares[column] = first * first + second * second
      products[column] = first * second
    }
    for (quantity, source) in [UnsafePointer(a), UnsafePointer(b), UnsafePointer(squares), UnsafePointer(products)]
      .enumerated()
    {
      let output = target + quantity * stride
      var column = columns.lowerBound
      while column < columns.upperBound {
        Self.store(taps { Self.load(source + column + $0) }, to: output + column)
        column += Self.lanes
      }
    }
  }

  /// The similarities of one row of windows, from the ring's filtered rows.
  private func compare(
    top: Int, _ windows: Range<Int>, _ ring: UnsafeMutablePointer<Float>, into line: UnsafeMutablePointer<Float>
  ) {
    let stride = pair.stride, step = Self.quantities * stride
    // Sound: tap k of row `top` lies at ring row (top + k) % 11, and k < 11.
    let turn = top % Gaussian.taps
    let base = UnsafePointer(ring)
    var column = windows.lowerBound
    while column < windows.upperBound {
      @inline(__always) func moment(_ quantity: Int) -> Vector {
        taps { tap in
          let row = turn + tap < Gaussian.taps ? turn + tap : turn + tap - Gaussian.taps
          return Self.load(base + row * step + quantity * stride + column)
        }
      }
      let (a, b, squares, products) = (moment(0), moment(1), moment(2), moment(3))
      let ab = a * b
      var similarity = (2 * (products - ab) + Self.c2) / (squares - (a * a + b * b) + Self.c2)
      if hasLuminance {
        let (a, b) = (a + middle, b + middle)
        similarity *= (2 * a * b + Self.c1) / (a * a + b * b + Self.c1)
      }
      Self.store(similarity, to: line + column)
      column += Self.lanes
    }
  }

  /// The taps' weighted sum of what they find; they are symmetric.
  @inline(__always) private func taps(_ value: (Int) -> Vector) -> Vector {
    var sum = weights[Gaussian.reach] * value(Gaussian.reach)
    for tap in 0..<Gaussian.reach { sum += weights[tap] * (value(tap) + value(Gaussian.taps - 1 - tap)) }
    return sum
  }

  private static func sum(_ line: UnsafeMutablePointer<Float>, _ windows: Range<Int>) -> Double {
    var sum = 0.0
    for window in windows { sum += Double(line[window]) }
    return sum
  }

  // Sound: a vector that begins within a row ends within its slack.
  @inline(__always) private static func load(_ source: UnsafePointer<Float>) -> Vector {
    UnsafeRawPointer(source).loadUnaligned(as: Vector.self)
  }

  @inline(__always) private static func store(_ vector: Vector, to target: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(target).storeBytes(of: vector, as: Vector.self)
  }
}

/// The window: eleven taps of a Gaussian of σ 1.5, whose sum is 1.
enum Gaussian {
  static let taps = 11
  static let reach = 5
  private static let sigma = 1.5

  static let weights: InlineArray<11, Float> = {
    func value(_ tap: Int) -> Double { exp(-Double((tap - reach) * (tap - reach)) / (2 * sigma * sigma)) }
    let sum = (0..<taps).reduce(0) { $0 + value($1) }
    return InlineArray { Float(value($0) / sum) }
  }()
}
