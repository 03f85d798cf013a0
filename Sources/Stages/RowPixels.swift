import Host
import Rings

/// A worker's rows of one image, where they lie in the ring. Valid as long as the event is leased.
struct RowPixels {
  let base: UnsafeRawPointer
  let type: PixelType

  /// Checks what the event's header says against the payload and against the detector that the run was planned for.
  init(_ event: Event, rows: Range<Int>, columns: Int) throws {
    let header = event.header
    guard let type = header.pixel else {
      throw StageError.disorder("an order refers to event \(header.sequence) of projections, which has no pixels")
    }
    let needed = Int(header.rows) * columns * type.byteCount
    guard Int(header.columns) == columns, rows.upperBound <= Int(header.rows), event.payload.count == needed else {
      throw StageError.disorder(
        "event \(header.sequence) of projections is \(header.rows) × \(header.columns), "
          + "rows \(rows) of \(columns) columns were expected"
      )
    }
    base = event.payload.baseAddress! + rows.lowerBound * columns * type.byteCount
    self.type = type
  }

  private init(base: UnsafeRawPointer, type: PixelType) { (self.base, self.type) = (base, type) }

  /// The rows from `row` on.
  func from(_ row: Int, columns: Int) -> RowPixels { RowPixels(base: self.row(row, columns: columns), type: type) }

  /// The first of the worker's rows from `row` on.
  func row(_ row: Int, columns: Int) -> UnsafeRawPointer { base + row * columns * type.byteCount }
}
