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

  /// What the other source has lost.
  package var losses: LossLedger? { source.losses }

  /// From the other source.
  package func takeLeave() { source.takeLeave() }

  /// Passes over what was published of each.
  package func resume(after count: UInt64, metadata: [UInt8], lost: UInt64) throws -> Int? {
    _ = fields.resume(after: min(count, fieldCount), metadata: [], lost: 0)
    let own = count - min(count, fieldCount)
    return try source.resume(after: own, metadata: metadata, lost: min(lost, own))
  }

  /// Fields first.
  package func next(timeout: Duration) throws -> SourceStep {
    if !isPast, case .frame(let frame) = fields.next(timeout: timeout) { return .frame(frame) }
    isPast = true
    return try source.next(timeout: timeout)
  }
}
