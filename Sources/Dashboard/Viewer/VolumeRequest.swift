import KernelTypes

/// What a viewer asks of a volume.
enum VolumeRequest: Equatable {
  /// One of the planes.
  struct Cut: Hashable {
    let axis: CutAxis
    let index: Int
  }

  /// Columns and rows; an end is the first that does not belong to it in a region, and the last one of a line.
  struct Corners: Equatable {
    let x0: Int
    let y0: Int
    let x1: Int
    let y1: Int
  }

  case info
  case stats(Cut)
  case tile(Cut, level: Int, row: Int, column: Int)
  case region(Cut, Corners)
  case line(Cut, Corners)
  case overview(edge: Int)

  /// From the address behind the volume's own, as in `tile/z/3/0/1/2`, and the query; nil where that is nothing.
  init?(_ path: Substring, query: [String: String]) {
    var parts = path.split(separator: "/", omittingEmptySubsequences: false)[...]
    guard let kind = parts.popFirst() else { return nil }
    if kind == "info", parts.isEmpty {
      self = .info
      return
    }
    if kind == "volume", let edge = parts.popFirst().flatMap(Self.number), parts.isEmpty {
      self = .overview(edge: edge)
      return
    }
    guard let axis = parts.popFirst().flatMap({ CutAxis(rawValue: String($0)) }),
      let index = parts.popFirst().flatMap(Self.number)
    else { return nil }
    let numbers = parts.compactMap(Self.number)
    guard numbers.count == parts.count else { return nil }
    let cut = Cut(axis: axis, index: index)
    switch (kind, numbers.count) {
    case ("stats", 0): self = .stats(cut)
    case ("tile", 3): self = .tile(cut, level: numbers[0], row: numbers[1], column: numbers[2])
    case ("region", 0), ("line", 0):
      guard let corners = Corners(query) else { return nil }
      self = kind == "line" ? .line(cut, corners) : .region(cut, corners)
    default: return nil
    }
  }

  /// Digits only, so few of them that nothing overflows.
  fileprivate static func number(_ text: some StringProtocol) -> Int? {
    guard (1...6).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
    return Int(text)
  }
}

extension VolumeRequest.Corners {
  fileprivate init?(_ query: [String: String]) {
    let numbers = ["x0", "y0", "x1", "y1"].compactMap { query[$0].flatMap { VolumeRequest.number($0) } }
    guard numbers.count == 4 else { return nil }
    self.init(x0: numbers[0], y0: numbers[1], x1: numbers[2], y1: numbers[3])
  }
}
