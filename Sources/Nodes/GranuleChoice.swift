/// Which granules a node takes next.
enum GranuleChoice {
  /// How many of `count` granules one of `nodes` that live has at a time at most: all of them have about as many.
  static func share(of count: Int, nodes: Int) -> Int { (count + max(nodes, 1) - 1) / max(nodes, 1) }

  /// How many granules of so many rows a node has at a time where nobody says: what the kernels interleave for each of
  /// its cores, and one a core at least. With 16 rows a core takes twice the time for each.
  static func most(rows: Int, cores: Int) -> Int { cores * max(1, rowsOfCore / max(rows, 1)) }

  /// Rows of which the kernels make four vectors at once.
  static let rowsOfCore = 64

  /// Consecutive free granules, `limit` at most; nil where none is free. The most neighbours that are free: one run
  /// makes them, and the kernels are fastest on many rows.
  ///
  /// Nodes that look at the same time would all choose the same ones: the one at `place` among `nodes`, in the order of
  /// their names, looks at its share first, and then from there on.
  static func next(free: Set<Int>, of count: Int, limit: Int, place: Int, nodes: Int) -> Range<Int>? {
    guard limit > 0, count > 0 else { return nil }
    let share = share(of: count, nodes: nodes), first = place * share % count
    return longest(free, of: count, limit, from: Array(first..<min(first + share, count)))
      ?? longest(free, of: count, limit, from: (0..<count).map { (first + $0) % count })
  }

  /// The most free neighbours that begin at one of `starts`, the first ones of equally many.
  private static func longest(_ free: Set<Int>, of count: Int, _ limit: Int, from starts: [Int]) -> Range<Int>? {
    var best: Range<Int>?
    for start in starts where free.contains(start) {
      let end = (start..<min(start + limit, count)).first { !free.contains($0) } ?? min(start + limit, count)
      if end - start > best?.count ?? 0 { best = start..<end }
    }
    return best
  }
}
