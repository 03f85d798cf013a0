package import Host

/// What a writer says about an event; the rest of the header is the ring's.
package struct EventFields: Sendable {
  /// What the event says.
  var kind: EventKind
  /// Nanoseconds since 1970 when the event's cause was acquired.
  package var acquiredAt: UInt64
  /// Bytes of payload that were filled in.
  var payloadByteCount: Int
  /// Bytes of metadata that were filled in.
  package var metadataByteCount: Int
  /// The angle in radians.
  var theta: Double
  /// The number of the projection in the scan.
  var projection: UInt64
  /// Rows of the payload's images.
  var rows: Int
  /// Columns of the payload's images.
  var columns: Int
  /// The type of the payload's elements; rows × columns of them are at most the payload.
  var pixel: PixelType?
  /// Of an image, how far apart updates are from it on, where somebody else has decided that; 0 of any other event.
  package var interval: UInt16 = 0

  /// Fields as given.
  package init(
    kind: EventKind, acquiredAt: UInt64 = 0, payloadByteCount: Int = 0, metadataByteCount: Int = 0, theta: Double = 0,
    projection: UInt64 = 0, rows: Int = 0, columns: Int = 0, pixel: PixelType? = nil
  ) {
    self.kind = kind
    self.acquiredAt = acquiredAt
    self.payloadByteCount = payloadByteCount
    self.metadataByteCount = metadataByteCount
    self.theta = theta
    self.projection = projection
    self.rows = rows
    self.columns = columns
    self.pixel = pixel
  }
}
