internal import CLinux
internal import Host
package import Rings

extension JournalWriter {
  /// Appends an event of this writer's epoch without payload, whose metadata `encode` fills, returning the bytes used;
  /// durable when this returns. For who has no ring.
  ///
  /// Throws as `append` and `flush` do.
  package func append(kind: EventKind, _ encode: (UnsafeMutableRawBufferPointer) -> Int) throws(JournalError) {
    let memory = AlignedMemory(byteCount: stride)
    let slot = memory.bytes
    slot.initializeMemory(as: UInt8.self, repeating: 0)
    let metadata = UnsafeMutableRawBufferPointer(rebasing: slot[EventHeader.byteCount..<EventHeader.pageByteCount])
    let used = encode(metadata)
    precondition((0...EventHeader.metadataCapacity).contains(used), "\(used) B of metadata")
    let header = EventHeader(
      kind: kind, identity: identity, sequence: state.nextSequence, epoch: state.epoch,
      acquiredAt: Machine.realtimeNanoseconds, durableThrough: state.durableThrough, chain: state.chain,
      metadataByteCount: used, payloadCRC32C: clinux_crc32c(0, metadata.baseAddress, used))
    header.encode(into: slot)
    try append(UnsafeRawBufferPointer(slot))
    // The memory is the device's until then.
    try flush(timeout: options.stallLimit)
    withExtendedLifetime(memory) {}
  }
}
