import Glibc
internal import KernelTypes

/// How threads share a projection: each block in pieces of its lanes, those in parts of the rays, and these in parts of
/// their bins.
///
/// No bin's sum is cut, so the bits are the same for any cut. A piece reads its lanes of what its rays meet once, so
/// parts of the rays multiply what is read, and pieces of the lanes do not; but a narrow piece computes more weights
/// for each lane, and uses the caches less well. Bins of a few angles meet a part of the slice, those of many nearly
/// all of it. `threads` are those that work at the same time: more of them than there are cores would read more and be
/// ready no sooner.
struct ForwardCut {
  /// Lanes of a piece; the last one of a block may have fewer.
  let lanes: Int
  /// Parts of the rays, and of their bins.
  let parts: Int, binParts: Int
  /// Pieces of the whole projection.
  let count: Int
  private let blocks: Range<Int>
  private let layout: SliceLayout

  /// What is computed together.
  struct Piece {
    let block: Int
    let lanes: Range<Int>
    /// Of the rays.
    let part: Int
    /// Of their bins.
    let pairs: Range<Int>
  }

  /// What reading a lane of a block and a ray through it cost, in pieces of so many lanes.
  private struct Costs {
    let lanes: Int, reading: Double, ray: Double
  }

  /// Measured with AVX2 and AVX-512: memory gives neighbouring lines at once, and lines of narrow pieces are in a part
  /// of the caches' sets.
  private static let float = [
    Costs(lanes: 64, reading: 5, ray: 1), Costs(lanes: 32, reading: 7.5, ray: 1.4),
    Costs(lanes: 16, reading: 13, ray: 1.9),
  ]
  /// Reading is conversion too. 64 lanes are one plane with AVX-512; with AVX2 they are computed 32 after 32 anyway.
  private static let fixed = [
    Costs(lanes: 64, reading: 9, ray: 1), Costs(lanes: 32, reading: 9, ray: 1.3),
    Costs(lanes: 16, reading: 9, ray: 1.6),
  ]
  /// Threads may differ in speed: a cut costs a part of a piece more than its pieces.
  private static let waiting = 0.125
  /// Pieces of a thread at most.
  private static let piecesMax = 4
  /// What bins at the edge of a part read beside it, as a share of the slice.
  private static let edge = 0.05
  /// Pairs of bins of a part at least.
  private static let pairsMin = 8

  /// The cut that is ready first by estimate; the coarsest of equal ones. In fixed point where `isFixed`: then each
  /// piece looks at all voxels.
  init(layout: SliceLayout, blocks: Range<Int>, rays: Int, threads: Int, isFixed: Bool = false) {
    let costs = isFixed ? ForwardCut.fixed : ForwardCut.float
    let pairs = (layout.columns + 1) / 2
    var best = (lanes: layout.lanes, parts: 1, binParts: 1, time: Double.infinity)
    func consider(_ lanes: Int, _ costs: Costs, binParts: Int) {
      let pieces = ForwardCut.pieces(layout, blocks, lanes) * binParts
      for parts in 1...max(1, min(rays, ForwardCut.piecesMax * threads / pieces)) {
        let rounds = Double((pieces * parts + threads - 1) / threads)
        let rays = Double((rays + parts - 1) / parts)
        // Rays of different directions share the middle of the slice.
        let share =
          binParts == 1 ? 1 : min(1, 1 + ForwardCut.edge - pow(1 - 1 / Double(binParts), rays))
        let piece = Double(lanes) * (costs.reading * share + costs.ray * rays / Double(binParts))
        let time = piece * (rounds + ForwardCut.waiting)
        if time < best.time { best = (lanes, parts, binParts, time) }
      }
    }
    if threads > 1 {
      let isCut = !isFixed && layout.lanes >= 16
      for binParts in 1...(isCut ? max(1, min(threads, pairs / ForwardCut.pairsMin)) : 1) {
        consider(layout.lanes, costs[0], binParts: binParts)
        for costs in costs.dropFirst() where layout.lanes > costs.lanes {
          consider(costs.lanes, costs, binParts: binParts)
        }
      }
    }
    (lanes, parts, binParts) = (best.lanes, best.parts, best.binParts)
    count = ForwardCut.pieces(layout, blocks, lanes) * parts * binParts
    self.blocks = blocks
    self.layout = layout
  }

  /// Pieces of `lanes` lanes of all blocks.
  private static func pieces(_ layout: SliceLayout, _ blocks: Range<Int>, _ lanes: Int) -> Int {
    blocks.reduce(0) { $0 + (layout.lanes(block: $1) + lanes - 1) / lanes }
  }

  /// Piece `index` of `count`.
  func piece(_ index: Int) -> Piece {
    // Only the last block may be narrower than the others.
    let piece = index / (parts * binParts)
    let each = (layout.lanes + lanes - 1) / lanes
    let block = blocks.lowerBound + piece / each
    let pairs = (layout.columns + 1) / 2
    let binPart = index % binParts
    let first = (piece - (block - blocks.lowerBound) * each) * lanes
    return Piece(
      block: block, lanes: first..<min(first + lanes, layout.lanes(block: block)),
      part: index / binParts % parts,
      pairs: pairs * binPart / binParts..<pairs * (binPart + 1) / binParts)
  }
}
