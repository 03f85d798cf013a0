import Host

/// Raw rows of one or some blocks from a few projections, copied.
final class RowBatch {
  /// One projection's rows.
  struct RawRows {
    let base: UnsafeRawPointer
    let type: PixelType
    let slot: Int
  }

  private(set) var parts: [RawRows] = []
  /// The rows of the worker that every part holds.
  private(set) var rows = 0..<0
  private let capacity: Int
  private let columns: Int
  private let partByteCount: Int
  private let storage: UnsafeMutableRawPointer

  private static let pixelByteCountMax = PixelType.allCases.map(\.byteCount).max()!

  init(capacity: Int, rowCount: Int, columns: Int) {
    self.capacity = max(1, capacity)
    self.columns = columns
    partByteCount = Self.byteCount(rowCount: rowCount, columns: columns)
    storage = .allocate(byteCount: self.capacity * partByteCount, alignment: 64)
  }

  deinit { storage.deallocate() }

  /// Bytes of the rows of one projection, whatever its pixels are.
  static func byteCount(rowCount: Int, columns: Int) -> Int { rowCount * columns * pixelByteCountMax }

  var isFull: Bool { parts.count == capacity }

  /// Copies `rows` of the worker, which `pixels` are, of the projection that belongs into `slot`.
  func add(_ pixels: RowPixels, rows: Range<Int>, slot: Int) {
    precondition(parts.isEmpty || rows == self.rows, "rows \(rows) in a batch of rows \(self.rows)")
    self.rows = rows
    precondition(!isFull && rows.count * columns * pixels.type.byteCount <= partByteCount, "no room for rows \(rows)")
    let target = storage + parts.count * partByteCount
    target.copyMemory(
      from: pixels.base, byteCount: rows.count * columns * pixels.type.byteCount)
    parts.append(RawRows(base: UnsafeRawPointer(target), type: pixels.type, slot: slot))
  }

  func removeAll() { parts.removeAll(keepingCapacity: true) }
}
