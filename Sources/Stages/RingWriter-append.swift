import Host
import Rings

extension RingWriter {
  /// Publishes an event without pixels: `encode` fills the metadata and returns its length. Waits for room up to `timeout`.
  func append(kind: EventKind, timeout: Duration, _ encode: (UnsafeMutableRawBufferPointer) -> Int) throws(RingError) {
    let claim = try claim(timeout: timeout)
    let used = encode(claim.metadata)
    try commit(claim, EventFields(kind: kind, acquiredAt: Machine.realtimeNanoseconds, metadataByteCount: used))
  }
}
