package import Host

/// Little-endian fields at fixed offsets of an event's metadata.
struct MetadataFields {
  private let bytes: UnsafeRawBufferPointer

  /// Refuses metadata that is shorter than the body it should hold, so that every later access is in bounds.
  init(_ bytes: UnsafeRawBufferPointer, byteCount: Int, of body: String) throws(EventError) {
    guard bytes.count == byteCount else {
      throw .malformed("\(body) event has \(bytes.count) B of metadata, expected \(byteCount)")
    }
    self.bytes = bytes
  }

  func u16(at offset: Int) -> UInt16 {
    precondition(offset >= 0 && offset + 2 <= bytes.count, "a field at \(offset) of \(bytes.count) B")
    return UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
  }
  func u32(at offset: Int) -> UInt32 {
    precondition(offset >= 0 && offset + 4 <= bytes.count, "a field at \(offset) of \(bytes.count) B")
    return UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }
  func u64(at offset: Int) -> UInt64 {
    precondition(offset >= 0 && offset + 8 <= bytes.count, "a field at \(offset) of \(bytes.count) B")
    return UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }
  func f64(at offset: Int) -> Double { Double(bitPattern: u64(at: offset)) }

  /// A count or index; refused where it exceeds `limit`, so that arithmetic on it cannot overflow.
  func count(at offset: Int, limit: UInt64 = 1 << 44, _ name: String) throws(EventError) -> Int {
    let value = u64(at: offset)
    guard value <= limit else { throw .malformed("\(name) \(value) exceeds \(limit)") }
    return Int(value)
  }
}

extension UnsafeMutableRawBufferPointer {
  func store(_ value: UInt16, at offset: Int) {
    precondition(offset >= 0 && offset + 2 <= count, "a field at \(offset) of \(count) B")
    storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt16.self)
  }
  func store(_ value: UInt32, at offset: Int) {
    precondition(offset >= 0 && offset + 4 <= count, "a field at \(offset) of \(count) B")
    storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self)
  }
  func store(_ value: UInt64, at offset: Int) {
    precondition(offset >= 0 && offset + 8 <= count, "a field at \(offset) of \(count) B")
    storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt64.self)
  }
  func store(_ value: Double, at offset: Int) { store(value.bitPattern, at: offset) }
}

/// An event whose header is sound but whose content is not: corruption or another version's event.
package enum EventError: SysExitError, Equatable, Sendable {
  /// What is wrong with it.
  case malformed(String)

  /// Nobody but a bug writes such an event.
  package var sysExit: SysExit { .software }

  /// One line for the log.
  package var description: String {
    switch self {
    case .malformed(let what): "malformed event: \(what)"
    }
  }
}
