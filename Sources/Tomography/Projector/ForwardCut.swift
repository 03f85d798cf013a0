internal import KernelTypes

/// How threads share a projection: each block in pieces of its lanes, those in parts of the rays.
///
/// No bin's sum is cut, so the bits are the same for any cut. A piece reads its lanes of the whole block once, so parts
/// of the rays multiply what is read, and pieces of the lanes do not; but a narrow piece computes more weights for each
/// lane, and uses the caches less well.
struct ForwardCut {
  /// Parts of the rays.
  let parts: Int
  /// Lanes of a piece; the last one of a block may have fewer.
  let lanes: Int
  /// Pieces of the whole projection.
  let count: Int
  private let blocks: Range<Int>
  private let layout: SliceLayout

  /// Reading a block costs as much as projecting it along so many rays.
  private static let reading = 3.0
  /// Threads may differ in speed: a cut costs a part of a piece more than its pieces.
  private static let waiting = 0.125
  /// Pieces of a thread at most.
  private static let piecesMax = 4

  /// The cut that is ready first by estimate; the coarsest of equal ones.
  init(layout: SliceLayout, blocks: Range<Int>, rays: Int, threads: Int) {
    var best = (lanes: layout.lanes, parts: 1, time: Double.infinity)
    func consider(_ lanes: Int, _ cost: Double) {
      let pieces = ForwardCut.pieces(layout, blocks, lanes)
      for parts in 1...max(1, min(rays, ForwardCut.piecesMax * threads / pieces)) {
        let rounds = Double((pieces * parts + threads - 1) / threads)
        let piece = Double(lanes) * (ForwardCut.reading + cost * Double((rays + parts - 1) / parts))
        let time = piece * (rounds + ForwardCut.waiting)
        if time < best.time { best = (lanes, parts, time) }
      }
    }
    if threads > 1 {
      consider(layout.lanes, 1)
      // What narrow pieces cost a lane and a ray, measured with AVX2: their lines are in a part of the caches' sets.
      if layout.lanes > 32 { consider(32, 1.35) }
      if layout.lanes > 16 { consider(16, 1.5) }
    }
    (lanes, parts) = (best.lanes, best.parts)
    count = ForwardCut.pieces(layout, blocks, lanes) * parts
    self.blocks = blocks
    self.layout = layout
  }

  /// Pieces of `lanes` lanes of all blocks.
  private static func pieces(_ layout: SliceLayout, _ blocks: Range<Int>, _ lanes: Int) -> Int {
    blocks.reduce(0) { $0 + (layout.lanes(block: $1) + lanes - 1) / lanes }
  }

  /// Block, lanes and part of the rays of piece `index`.
  func piece(_ index: Int) -> (block: Int, lanes: Range<Int>, part: Int) {
    // Only the last block may be narrower than the others.
    let piece = index / parts, each = (layout.lanes + lanes - 1) / lanes
    let block = blocks.lowerBound + piece / each
    let first = (piece - (block - blocks.lowerBound) * each) * lanes
    return (block, first..<min(first + lanes, layout.lanes(block: block)), index % parts)
  }
}
