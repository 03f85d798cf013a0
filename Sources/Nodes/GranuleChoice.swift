/// Which granules a node takes next.
enum GranuleChoice {
  /// How many of `count` granules one of `nodes` that live has at a time at most: all of them have about as many.
  static func share(of count: Int, nodes: Int) -> Int { (count + max(nodes, 1) - 1) / max(nodes, 1) }

  /// Consecutive free granules, `limit` at most; nil where none is free.
  ///
  /// Nodes that look at the same time would all choose the same ones: the one at `place` among `nodes`, in the order of
  /// their names, begins to look where its share is.
  static func next(free: Set<Int>, of count: Int, limit: Int, place: Int, nodes: Int) -> Range<Int>? {
    guard limit > 0, count > 0 else { return nil }
    let first = place * share(of: count, nodes: nodes) % count
    guard let start = (0..<count).map({ (first + $0) % count }).first(where: free.contains) else { return nil }
    let end = (start..<min(start + limit, count)).first { !free.contains($0) } ?? min(start + limit, count)
    return start..<end
  }
}
