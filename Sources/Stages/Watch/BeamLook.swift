import Host
import Rings

/// Looks at the beam beside the sample in an image where it lies: at some of its rows, and of these at the outermost
/// columns. The next image shows the next rows, so that all are seen in turn.
struct BeamLook {
  /// What an image shows.
  struct BeamFigures: Equatable {
    /// Mean count on the brighter side.
    let intensity: Double
    /// Rows that are dark while others are not: of the rows that were looked at, as a number of all rows.
    let deadRows: Double
  }

  /// Rows of one look, and the share of the columns that each side has.
  private static let (rowsMax, sideShare) = (64, 16)
  /// A row is dead where it has less than this part of what the middle one of all rows has.
  private static let deadPart = 0.25

  private var buffer: [UInt8] = []
  private var means: [(left: Double, right: Double)] = []

  /// What the image in a slot shows; nil where the ring has it no more, or it is none.
  mutating func look(at header: EventHeader, in ring: RingObserver) -> BeamFigures? {
    guard header.kind == .projection, let pixel = header.pixel, header.rows > 0, header.columns > 0 else { return nil }
    let (rows, columns) = (Int(header.rows), Int(header.columns))
    let pitch = columns * pixel.byteCount
    guard rows * pitch <= header.payloadByteCount else { return nil }
    let step = (rows + Self.rowsMax - 1) / Self.rowsMax
    let first = Int(header.sequence % UInt64(step))
    let side = max(1, columns / Self.sideShare)
    means.removeAll(keepingCapacity: true)
    if buffer.count != pitch { buffer = [UInt8](repeating: 0, count: pitch) }
    for row in stride(from: first, to: rows, by: step) {
      let start = EventHeader.pageByteCount + row * pitch
      let isThere = buffer.withUnsafeMutableBytes {
        ring.copySlot(of: header.sequence, start..<start + pitch, into: $0)
      }
      guard isThere else { return nil }
      means.append(buffer.withUnsafeBytes { Self.sides($0, pixel, columns: columns, side: side) })
    }
    return Self.figures(means, rows: rows)
  }

  /// From the means of both sides of each row.
  static func figures(_ means: [(left: Double, right: Double)], rows: Int) -> BeamFigures? {
    let known = means.filter { $0.left.isFinite && $0.right.isFinite }
    guard !known.isEmpty else { return nil }
    let isLeft = known.reduce(0) { $0 + $1.left - $1.right } > 0
    let beam = known.map { isLeft ? $0.left : $0.right }
    let middle = beam.sorted()[beam.count / 2]
    // Rows that died are no sign of the beam.
    let lit = middle > 0 ? beam.filter { $0 >= deadPart * middle } : beam
    let dead = middle > 0 ? means.count - lit.count : 0
    return BeamFigures(
      intensity: lit.reduce(0, +) / Double(lit.count),
      deadRows: (Double(dead) * Double(rows) / Double(means.count)).rounded())
  }

  private static func sides(
    _ row: UnsafeRawBufferPointer, _ pixel: PixelType, columns: Int, side: Int
  ) -> (left: Double, right: Double) {
    func mean(_ range: Range<Int>) -> Double {
      range.reduce(0) { $0 + value(row, pixel, $1) } / Double(range.count)
    }
    return (mean(0..<side), mean(columns - side..<columns))
  }

  private static func value(_ row: UnsafeRawBufferPointer, _ pixel: PixelType, _ column: Int) -> Double {
    switch pixel {
    case .uint8: Double(row[column])
    case .uint16: Double(row.loadUnaligned(fromByteOffset: 2 * column, as: UInt16.self))
    case .uint32: Double(row.loadUnaligned(fromByteOffset: 4 * column, as: UInt32.self))
    case .float32: Double(row.loadUnaligned(fromByteOffset: 4 * column, as: Float.self))
    }
  }
}
