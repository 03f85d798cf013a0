import KernelTypes
import RunModel
import Tomography
import Topics

// Which pixels never see anything: for updates the first projections of the scan tell it, for the final iterations some
// of all.
extension ReconstructStage {
  /// Looks at the first projections as far as they are known to projection `ordinal`: all of them again where a
  /// predecessor did, or where a field came behind them.
  func listen(through ordinal: Int) throws {
    let known = min(SilentPixels.first, ordinal + 1)
    guard configuration.minusLog, corrections.listenedCount < known else { return }
    for sequence in try firstSequences(known)[corrections.listenedCount...] { try listen(to: sequence) }
  }

  /// Looks at projections from the whole scan, all of which is known.
  func listenToAll() throws {
    for sequence in silentSequences { try listen(to: sequence) }
  }

  /// Those that are looked at; none without a dark field to be silent at.
  var silentSequences: [UInt64] {
    configuration.minusLog ? SampleLook.spread(SilentPixels.spread, over: applied.all.map(\.sequence)) : []
  }

  private func listen(to sequence: UInt64) throws {
    let event = try projections.event(at: sequence, rows: configuration.rows)
    corrections.listen(
      try RowPixels(event, rows: configuration.rows, columns: configuration.layout.measured.count), executor)
  }

  /// The sequences of the first `count` projections, from the orders where a restart did without them.
  private func firstSequences(_ count: Int) throws -> [UInt64] {
    if applied.firstKnown == 0 { return (0..<count).map { applied[$0].sequence } }
    var sequences: [UInt64] = []
    for number in 0..<orders.position {
      if sequences.count == count { break }
      guard case .rows(.projection, let sequence, sequences.count, _) = try order(number).order else { continue }
      sequences.append(sequence)
    }
    guard sequences.count == count else {
      throw StageError.disorder("the orders name \(sequences.count) of the first \(count) projections")
    }
    return sequences
  }
}
