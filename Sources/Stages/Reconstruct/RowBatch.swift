import Host

/// Raw rows of one block from a few projections, copied.
final class RowBatch {
  /// One projection's rows.
  struct RawRows {
    let base: UnsafeRawPointer
    let type: PixelType
    let slot: Int
  }

  private(set) var parts: [RawRows] = []
  private let capacity: Int
  private let columns: Int
  private let partByteCount: Int
  private let storage: UnsafeMutableRawPointer

  private static let pixelByteCountMax = PixelType.allCases.map(\.byteCount).max()!

  init(capacity: Int, rowCount: Int, columns: Int) {
    self.capacity = max(1, capacity)
    self.columns = columns
    partByteCount = rowCount * columns * Self.pixelByteCountMax
    storage = .allocate(byteCount: self.capacity * partByteCount, alignment: 64)
  }

  deinit { storage.deallocate() }

  var isFull: Bool { parts.count == capacity }

  /// Copies `rows` of a worker's rows of the projection that belongs into `slot`.
  func add(_ pixels: RowPixels, rows: Range<Int>, slot: Int) {
    precondition(!isFull && rows.count * columns * pixels.type.byteCount <= partByteCount, "no room for rows \(rows)")
    let target = storage + parts.count * partByteCount
    target.copyMemory(
      from: pixels.row(rows.lowerBound, columns: columns), byteCount: rows.count * columns * pixels.type.byteCount)
    parts.append(RawRows(base: UnsafeRawPointer(target), type: pixels.type, slot: slot))
  }

  func removeAll() { parts.removeAll(keepingCapacity: true) }
}
