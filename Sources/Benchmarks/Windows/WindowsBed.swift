import KernelTypes
import Simulation
import Tomography

/// Scans of several slices that come projection by projection, one block on one thread: what windows make of them.
struct WindowsBed {
  /// The moments at which volumes are compared with the truth, as parts of the scan.
  static let moments = 4
  /// Everything happens in the disc of this part of the columns.
  private static let radius = 0.45

  private let layout: SliceLayout
  private let beam: ParallelBeam
  private let angles: [WindowAngle]
  private let thetas: [Double]
  private let projectionsPerHalfTurn: Int
  private let nonNegative: Bool
  /// Of each moment, of each slice.
  private let truths: [[[Float]]]
  private let sinogram: ScratchMemory

  /// What a policy made of the scans.
  struct Outcome {
    /// Of each moment, of each slice, in decibels.
    var qualities: [[Double]] = []
    /// Projections that updates went through.
    var projections = 0
    /// Processor time of updates, and of smoothing.
    var updating = 0.0, smoothing = 0.0
  }

  /// `lines[slice]` are projections × columns, in the order in which they come.
  init(lines: [[Float]], truths: [[[Float]]], thetas: [Double], projectionsPerHalfTurn: Int, nonNegative: Bool) {
    let columns = lines[0].count / thetas.count
    layout = SliceLayout(columns: columns, rows: lines.count)
    beam = ParallelBeam(columns: columns, rotationAxis: Double(columns) / 2)
    angles = thetas.enumerated().map { WindowAngle(theta: $1, slot: $0) }
    (self.thetas, self.truths, self.projectionsPerHalfTurn, self.nonNegative) = (
      thetas, truths, projectionsPerHalfTurn, nonNegative
    )
    sinogram = ScratchMemory(byteCount: layout.sinogramBlockByteCount(slots: thetas.count))
    for slot in thetas.indices {
      layout.storeProjection(
        lines.flatMap { $0[slot * columns..<(slot + 1) * columns] }, blocks: 0..<1, slot: slot, slots: thetas.count,
        into: sinogram.start)
    }
  }

  /// Everything that `policy` makes of the scans.
  func follow(_ policy: WindowPolicy) -> Outcome {
    let options = SIRTOptions(relaxation: Float(policy.relaxation), nonNegative: nonNegative)
    let solver = Method.sirt(options).solver(
      layout: layout, beam: beam, anglesMax: policy.newest + policy.drawn, threads: 1)
    let smoothing = policy.smoothing.flatMap {
      Method.sirt(options).smoothing(layout: layout, threads: 1, schedule: $0)
    }
    let spread = AngularSpread(count: policy.drawn, projectionsPerHalfTurn: projectionsPerHalfTurn)
    let volume = ScratchMemory(byteCount: layout.volumeByteCount), executor = SerialExecutor()
    var directions = NewestDirections(reach: spread.reach), outcome = Outcome()
    for ordinal in angles.indices {
      directions.append(sequence: 0, theta: thetas[ordinal])
      if (ordinal + 1) % policy.step == 0 {
        let newest = Array(angles[max(0, ordinal + 1 - policy.newest)...ordinal])
        let drawn = directions.drawn(by: spread, update: ordinal).map { angles[$0.ordinal] }
        outcome.updating += processorSeconds {
          for group in policy.groups(newest: newest, drawn: policy.drawn > 0 ? drawn : []) {
            _ = solver.update(
              volume: volume.start, next: volume.start, sinogram: sinogram.start, slots: angles.count, blocks: 0..<1,
              angles: group, iterations: 1, executor: executor)
            outcome.projections += group.count
          }
        }
        if let smoothing, policy.smoothing?.isDue(after: ordinal) == true {
          outcome.smoothing += processorSeconds {
            smoothing.apply(
              volume.start, sinogram: sinogram.start, slots: angles.count, angles: newest + drawn, seen: ordinal + 1,
              spread: spread, executor: executor)
          }
        }
      }
      for moment in 1...Self.moments where ordinal + 1 == angles.count * moment / Self.moments {
        outcome.qualities.append(qualities(volume, truths[moment - 1]))
      }
    }
    return outcome
  }

  private func qualities(_ volume: ScratchMemory, _ truths: [[Float]]) -> [Double] {
    let size = layout.columns * layout.columns
    return truths.enumerated().map { row, truth in
      let slice = [Float](unsafeUninitializedCapacity: size) { buffer, count in
        layout.copySlice(row: row, from: volume.start, into: UnsafeMutableBufferPointer(rebasing: buffer[..<size]))
        count = size
      }
      return slice.withUnsafeBufferPointer { slice in
        truth.withUnsafeBufferPointer {
          psnr(slice, reference: $0, columns: layout.columns, radiusFraction: Self.radius)
        }
      }
    }
  }
}
