import Host
import KernelTypes
import Rings
import RunModel
import Tomography
import Topics

// The projections of windows.
extension ReconstructStage {
  /// Puts the line integrals of the event `sequence` into the window.
  func store(_ sequence: UInt64, ordinal: Int) throws {
    guard let buffer = window?.buffer else { return }
    try store(sequence, ordinal: ordinal, slot: buffer.slot(of: ordinal, after: ordinal + 1, place: 0), counting: true)
  }

  private func store(_ sequence: UInt64, ordinal: Int, slot: Int, counting: Bool) throws {
    guard let buffer = window?.buffer else { return }
    try listen(through: ordinal)
    let event = try projections.event(at: sequence, rows: configuration.rows)
    newestAcquiredAt = max(newestAcquiredAt, event.header.acquiredAt)
    let pixels = try RowPixels(event, rows: configuration.rows, columns: configuration.layout.measured.count)
    corrections.store(
      pixels, ordinal: ordinal, blocks: 0..<configuration.layout.blockCount, slot: slot, in: buffer, executor,
      counting: counting)
    buffer.hold(ordinal, in: slot, acquiredAt: event.header.acquiredAt)
  }

  /// The angles of an update, each projection in its slot, and what it goes through one after the other: those of a
  /// sliding window in their subsets, of a spread one all together.
  func angles(
    over ordinals: some Sequence<Int>, spread: [WorkerOrder.SpreadProjection]
  ) throws -> (all: [WindowAngle], groups: [[WindowAngle]]) {
    let newest = try ordinals.map { ordinal in
      let projection = applied[ordinal]
      return WindowAngle(theta: projection.theta, slot: try slot(of: ordinal, projection.sequence, place: 0))
    }
    guard configuration.windows.spread != nil else {
      return (newest, subsets(of: newest, count: configuration.methods.windowSubsets))
    }
    let others = try spread.enumerated().map { place, projection in
      WindowAngle(theta: projection.theta, slot: try slot(of: projection.ordinal, projection.sequence, place: place))
    }
    return (newest + others, [AngularSpread.together(newest: newest, others: others)])
  }

  /// The slot of a projection. It is read again where it is not there: after a restart, where a field came behind it,
  /// and where more lie between than are kept.
  private func slot(of ordinal: Int, _ sequence: UInt64, place: Int) throws -> Int {
    guard let buffer = window?.buffer else { preconditionFailure("a run without windows has none to fill") }
    let slot = buffer.slot(of: ordinal, after: applied.count, place: place)
    if !buffer.holds(ordinal, in: slot) {
      try store(sequence, ordinal: ordinal, slot: slot, counting: false)
    }
    return slot
  }

  /// When those of an update's projections came that no update before it had, all of them in their slots; nil where
  /// there are none. `seen` is where the window before ended.
  func timing(of ordinals: [Int], after seen: Int, level: Int) -> UpdateTiming? {
    guard let buffer = window?.buffer else { return nil }
    let acquired = ordinals.filter { $0 >= seen }
      .map { buffer.acquiredAt(buffer.slot(of: $0, after: applied.count, place: 0)) }
    guard let oldest = acquired.min(), oldest > 0, let newest = acquired.max() else { return nil }
    return UpdateTiming(
      acquired: oldest...newest, published: Machine.realtimeNanoseconds, count: acquired.count, level: level)
  }

  /// Smooths the generation that update `index` made, where that is due.
  func smooth(_ grid: Grid, after index: Int, angles: [WindowAngle], seen: Int) {
    guard WindowSmoothing.Schedule.standard.isDue(after: index), let spread = configuration.windows.spread,
      let smoothing = grid.smoothing
    else { return }
    smoothing.apply(
      volume.nextBase, sinogram: grid.sinogram.base, slots: grid.sinogram.slots, angles: angles, seen: seen,
      spread: spread, executor: executor)
  }

  /// Whether an update's order names projections that there are, and no more than there is room for.
  func canUpdate(over ordinals: Range<Int>, spread: [WorkerOrder.SpreadProjection]) -> Bool {
    guard let buffer = window?.buffer else { return false }
    return ordinals.upperBound <= applied.count && ordinals.lowerBound + buffer.kept >= applied.count
      && spread.allSatisfy { buffer.hasRoom(for: $0.ordinal, after: applied.count) }
      && spread.count <= configuration.windows.spread?.count ?? 0
  }
}
