/// Two square images of the same size. Rows are longer than they have to be, so that vectors may reach over their ends.
final class ImagePair {
  /// Pixels per row and column.
  let columns: Int
  /// From one row to the next.
  let stride: Int
  let first: UnsafeMutablePointer<Float>
  let second: UnsafeMutablePointer<Float>

  /// What vectors may reach over a row's end.
  static let slack = 16

  private init(columns: Int) {
    self.columns = columns
    stride = columns + Self.slack
    first = .allocate(capacity: stride * columns)
    second = .allocate(capacity: stride * columns)
    first.initialize(repeating: 0, count: stride * columns)
    second.initialize(repeating: 0, count: stride * columns)
  }

  deinit {
    first.deallocate()
    second.deallocate()
  }

  /// Copies of two slices, each pixel (value − `black`) · `scale` − `middle`.
  convenience init(
    _ first: UnsafeBufferPointer<Float>, _ second: UnsafeBufferPointer<Float>, columns: Int, black: Float, scale: Float,
    middle: Float
  ) {
    self.init(columns: columns)
    for (source, target) in [(first, self.first), (second, self.second)] {
      for row in 0..<columns {
        for column in 0..<columns {
          target[row * stride + column] = (source[row * columns + column] - black) * scale - middle
        }
      }
    }
  }

  /// Means of 2 × 2 pixels; where the size is odd, the last row and column stand for their missing neighbours.
  func halved() -> ImagePair {
    let half = ImagePair(columns: (columns + 1) / 2)
    for (source, target) in [(first, half.first), (second, half.second)] {
      for row in 0..<half.columns {
        let upper = source + 2 * row * stride, lower = source + min(2 * row + 1, columns - 1) * stride
        for column in 0..<half.columns {
          let left = 2 * column, right = min(left + 1, columns - 1)
          target[row * half.stride + column] = 0.25 * (upper[left] + upper[right] + lower[left] + lower[right])
        }
      }
    }
    return half
  }
}
