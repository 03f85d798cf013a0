import KernelTypes
import Run

/// Which picture a page asks for.
struct PictureRequest: Hashable {
  let axis: CutAxis
  let index: Int
  /// The most pixels along a side.
  let edge: Int
  /// Which volume is cut.
  let content: RunView.Content
  /// Black and white, in 1/pixel; nil for the range of the middle slice.
  let window: GreyWindow?

  static let edges = 16...2048

  /// From `/slices/{axis}/{n}.png` and the query's `edge`, `of`, `low` and `high`; nil where that is no picture.
  init?(_ request: Request) {
    let parts = request.path.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 4, parts[1] == "slices", let axis = CutAxis(rawValue: String(parts[2])),
      parts[3].hasSuffix(".png"),
      let index = Int(parts[3].dropLast(4)), index >= 0, let edge = Int(request.query["edge"] ?? "512"),
      Self.edges.contains(edge),
      let content = RunView.Content(rawValue: request.query["of"] ?? RunView.Content.reconstructed.rawValue)
    else { return nil }
    switch (request.query["low"], request.query["high"]) {
    case (nil, nil): window = nil
    case (let low?, let high?):
      guard let low = Float(low), let high = Float(high), let window = GreyWindow(low: low, high: high) else {
        return nil
      }
      self.window = window
    default: return nil
    }
    (self.axis, self.index, self.edge, self.content) = (axis, index, edge, content)
  }
}

/// What is black and what is white.
struct GreyWindow: Hashable, Codable {
  let low: Float
  let high: Float

  /// Nil where that is no range.
  init?(low: Float, high: Float) {
    guard low.isFinite, high.isFinite, low < high else { return nil }
    (self.low, self.high) = (low, high)
  }
}

/// A picture as it is sent.
struct Picture {
  let png: [UInt8]
  /// The newest generation in it.
  let generation: UInt64
  /// Differs where the bytes do.
  let tag: String
}
