import Rings
package import RunModel

/// Delivers the flat and dark fields of a file, then everything of another source.
package final class FieldsFirst: ProjectionSource {
  private let fields: FileSource
  private let fieldCount: UInt64
  private let source: any ProjectionSource
  private var isPast = false

  /// `fields` delivers `fieldCount` fields and nothing else.
  package init(_ fields: FileSource, fieldCount: Int, then source: any ProjectionSource) {
    precondition(fields.shape == source.shape, "fields of \(fields.shape) for projections of \(source.shape)")
    (self.fields, self.source) = (fields, source)
    self.fieldCount = UInt64(fieldCount)
  }

  /// The shape of both.
  package var shape: (rows: Int, columns: Int) { source.shape }

  /// What the other source has lost; empty flats of the file are among it.
  package var losses: LossLedger? {
    guard var ledger = source.losses else { return nil }
    for flat in 0..<(fields.losses?.emptyFlats ?? 0) { ledger.noteEmpty(.flat, frame: UInt64(flat)) }
    return ledger
  }

  /// Of the other source.
  package var endReason: EndEvent.Reason { source.endReason }

  /// Of the other source.
  package func startPrograms(_ start: @escaping GapProgram.Start) { source.startPrograms(start) }

  /// In the other source.
  package var holdsFrames: Bool { source.holdsFrames }

  /// From the other source.
  package func takeLeave() { source.takeLeave() }

  /// Passes over what was published of each.
  package func resume(after count: UInt64, metadata: [UInt8], lost: UInt64) throws -> Int? {
    _ = try fields.resume(after: 0, metadata: [], lost: 0)
    let own = try count - fields.pass(min(count, fieldCount))
    return try source.resume(after: own, metadata: metadata, lost: min(lost, own))
  }

  /// Fields first.
  package func next(timeout: Duration) throws -> SourceStep {
    if !isPast, case .frame(let frame) = fields.next(timeout: timeout) { return .frame(frame) }
    if !isPast { source.know(fields.level) }
    isPast = true
    return try source.next(timeout: timeout)
  }
}
