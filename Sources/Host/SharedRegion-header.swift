// A region that processes attach to begins with words that say whose it is and how it is laid out; they never change.
extension SharedRegion {
  /// Writes the words that a region begins with.
  package func begin<let count: Int>(with header: InlineArray<count, UInt32>) {
    withUnsafeBytes(of: header) { header in
      precondition(header.count <= byteCount, "a header of \(header.count) B in \(name) of \(byteCount) B")
      UnsafeMutableRawBufferPointer(start: base, count: byteCount).copyMemory(from: header)
    }
  }

  /// Throws `.regionRefused` where it is not `byteCount` long or does not begin with `header`, as `content` does: the
  /// region of another run, worker or shape.
  package func check<let count: Int>(
    isFor content: String, byteCount: Int, header: InlineArray<count, UInt32>
  ) throws(HostError) {
    guard self.byteCount == byteCount else {
      throw .regionRefused(name: name, reason: "it has \(self.byteCount) B, \(content) \(byteCount) B")
    }
    let isSame = withUnsafeBytes(of: header) { header in
      precondition(header.count <= byteCount, "a header of \(header.count) B in \(byteCount) B")
      return UnsafeRawBufferPointer(start: base, count: header.count).elementsEqual(header)
    }
    guard isSame else { throw .regionRefused(name: name, reason: "its header is not that of \(content)") }
  }
}
