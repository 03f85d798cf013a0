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

  /// What reading a lane of a block costs, in rays, and what a lane and a ray cost in pieces of 64, 32 and 16 lanes.
  private struct Costs {
    let reading: Double, ray: (Double, Double, Double)
  }

  /// Measured with AVX2: lines of narrow pieces are in a part of the caches' sets.
  private static let float = Costs(reading: 3, ray: (1, 1.35, 1.5))
  /// Reading is conversion too, and 64 lanes are computed 32 after 32 anyway.
  private static let fixed = Costs(reading: 9, ray: (1, 1, 1.3))
  /// Threads may differ in speed: a cut costs a part of a piece more than its pieces.
  private static let waiting = 0.125
  /// Pieces of a thread at most.
  private static let piecesMax = 4

  /// The cut that is ready first by estimate; the coarsest of equal ones. In fixed point where `isFixed`.
  init(layout: SliceLayout, blocks: Range<Int>, rays: Int, threads: Int, isFixed: Bool = false) {
    let costs = isFixed ? ForwardCut.fixed : ForwardCut.float
    var best = (lanes: layout.lanes, parts: 1, time: Double.infinity)
    func consider(_ lanes: Int, _ cost: Double) {
      let pieces = ForwardCut.pieces(layout, blocks, lanes)
      for parts in 1...max(1, min(rays, ForwardCut.piecesMax * threads / pieces)) {
        let rounds = Double((pieces * parts + threads - 1) / threads)
        let piece = Double(lanes) * (costs.reading + cost * Double((rays + parts - 1) / parts))
        let time = piece * (rounds + ForwardCut.waiting)
        if time < best.time { best = (lanes, parts, time) }
      }
    }
    if threads > 1 {
      consider(layout.lanes, costs.ray.0)
      if layout.lanes > 32 { consider(32, costs.ray.1) }
      if layout.lanes > 16 { consider(16, costs.ray.2) }
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
