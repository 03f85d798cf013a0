/// The parts of a message in memory of their own, as libzmq has them: what is read beyond one is not another's.
struct Parts {
  private let parts: [[UInt8]]

  init(_ parts: [[UInt8]]) { self.parts = parts }

  /// Calls `body` with the parts.
  func with<Result>(_ body: (UnsafeBufferPointer<UnsafeRawBufferPointer>) throws -> Result) throws -> Result {
    let copies = parts.map { part in
      let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: part.count, alignment: 1)
      copy.copyBytes(from: part)
      return copy
    }
    defer { for copy in copies { copy.deallocate() } }
    return try copies.map { UnsafeRawBufferPointer($0) }.withUnsafeBufferPointer(body)
  }
}
