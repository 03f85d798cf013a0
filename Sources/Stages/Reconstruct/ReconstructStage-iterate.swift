import RunModel
import Tomography

extension ReconstructStage {
  /// The angles of a window or scan in interleaved subsets, of which there are as many as there are angles at most.
  func subsets(of angles: [WindowAngle], count: Int) -> [[WindowAngle]] {
    orderedSubsets(angleCount: angles.count, subsets: min(count, angles.count)).map { group in group.map { angles[$0] }
    }
  }

  /// Where an update of `blocks` starts from: the newest generation, or what the first update of a run makes in the
  /// next one's place. With `initial`, what that makes of the angles, whatever the newest generation is; with `anew`
  /// the method's own start likewise.
  func begin(
    _ solver: any WindowSolver, _ method: Method, _ sinogram: SinogramBuffer, blocks: Range<Int>, angles: [WindowAngle],
    with initial: (any WindowSolver)? = nil, anew: Bool = false
  ) -> UnsafeRawPointer {
    let newest = volume.newest, next = volume.nextBase
    guard initial != nil || anew || (newest.number == 0 && !method.startsFromZero) else { return newest.base }
    if let initial {
      _ = initial.update(
        volume: newest.base, next: next, sinogram: sinogram.base, slots: sinogram.slots, blocks: blocks, angles: angles,
        iterations: 1,
        executor: executor)
    }
    solver.start(
      volume: next, keeping: initial != nil, sinogram: sinogram.base, slots: sinogram.slots, blocks: blocks,
      angles: angles,
      executor: executor)
    return UnsafeRawPointer(next)
  }

  /// Iterates from `source` into the next generation, over the groups one after the other; gives the residual of the
  /// last iteration, summed over its groups.
  func iterate(
    _ solver: any WindowSolver, from source: UnsafeRawPointer, _ sinogram: SinogramBuffer, blocks: Range<Int>,
    groups: [[WindowAngle]],
    iterations: Int
  ) -> Residual {
    let next = volume.nextBase
    var source = source
    var (residualSquared, dataSquared) = (0.0, 0.0)
    // A single group's iterations are one update, which prepares its weights once.
    let (cycles, steps) = groups.count == 1 ? (1, iterations) : (iterations, 1)
    for _ in 0..<cycles {
      (residualSquared, dataSquared) = (0, 0)
      for group in groups {
        let residual = solver.update(
          volume: source, next: next, sinogram: sinogram.base, slots: sinogram.slots, blocks: blocks, angles: group,
          iterations: steps,
          executor: executor)
        residualSquared += residual.residualSquared
        dataSquared += residual.dataSquared
        source = UnsafeRawPointer(next)
      }
    }
    return Residual(residualSquared: residualSquared, dataSquared: dataSquared)
  }
}
