import Host
import Rings
package import RunModel
package import ScanFiles
import Tomography

/// Delivers a scan file: its darks, its flats, then its projections in the order of the file or another, cropped to a
/// range of rows and binned if asked. Projections are numbered in the order in which they are delivered.
///
/// Where empty images are told (`BeamLevel`), those are left out: each image carries the ledger of those before it, and
/// a successor that finds none goes over the file again, to the same decisions.
package final class FileSource: ProjectionSource {
  private let reader: any ScanReader
  private let rows: Range<Int>
  private let binning: Int
  /// The numbers of projections in the file, in the order in which they are delivered.
  private let visits: [Int]
  private let tellsEmpty: Bool
  /// Flat fields before the projections; others are delivered behind them.
  private let flatsBefore: Int
  private var position = 0
  private var ledger = LossLedger()
  private let unbinned: UnsafeMutableRawBufferPointer?

  /// `rows` are detector rows of the file; `binning` is the edge of the squares of pixels whose mean becomes one pixel.
  /// `visits` are the numbers of the file's projections in the order in which they are delivered, nil for that of the
  /// file; with none only fields are. With `tellsEmpty` flats and projections that show nothing are left out: of
  /// counts, for a line integral of zero says something. The last `flatsBehind` flats come behind the projections.
  package init(
    reader: any ScanReader, rows: Range<Int>, binning: Int, visits: [Int]? = nil, tellsEmpty: Bool = false,
    flatsBehind: Int = 0
  ) {
    precondition(
      !rows.isEmpty && rows.upperBound <= reader.info.rows && binning >= 1, "rows \(rows), binning \(binning)")
    self.reader = reader
    self.rows = rows
    self.binning = binning
    self.tellsEmpty = tellsEmpty
    flatsBefore = reader.info.flatCount - flatsBehind
    precondition((0...reader.info.flatCount).contains(flatsBefore), "\(flatsBehind) flats of \(reader.info.flatCount)")
    self.visits = visits ?? Array(0..<reader.info.projectionCount)
    precondition(
      self.visits.allSatisfy { (0..<reader.info.projectionCount).contains($0) }, "an order of other projections")
    let info = reader.info
    let widest = [info.pixel, info.flatPixel, info.darkPixel].map(\.byteCount).max()!
    unbinned = binning == 1 ? nil : .allocate(byteCount: rows.count * info.columns * widest, alignment: 64)
  }

  deinit { unbinned?.deallocate() }

  /// Rows and columns after cropping and binning.
  package var shape: (rows: Int, columns: Int) { (rows.count / binning, reader.info.columns / binning) }

  /// What was left out; nil for nothing.
  package var losses: LossLedger? { ledger.empty + ledger.emptyFlats > 0 ? ledger : nil }

  /// How bright its fields are that were delivered.
  var level: BeamLevel {
    let sums = ledger.fieldSums ?? LossLedger.FieldSums()
    return BeamLevel(darks: (sums.darks, ledger.darks), flats: (sums.flats, ledger.flats))
  }

  /// Passes over what was published, lost or not.
  package func resume(after count: UInt64, metadata: [UInt8], lost: UInt64) throws -> Int? {
    var left = count
    (position, ledger) = (0, LossLedger())
    if tellsEmpty, count > lost, !metadata.isEmpty {
      ledger = try metadata.withUnsafeBytes { try LossLedger(decoding: $0) }
      guard ledger.next <= imageCount else { return nil }
      (position, left) = (Int(ledger.next), lost)
    }
    guard try pass(left) == left else { return nil }
    return ledger.projections
  }

  /// Passes over the next `count` images that are published, or as many as there are; returns how many.
  func pass(_ count: UInt64) throws -> UInt64 {
    guard tellsEmpty else {
      let passed = min(count, UInt64(imageCount - position))
      for _ in 0..<passed { _ = nextImage().map { ledger.notePublished($0.kind, .measured) } }
      return passed
    }
    guard count > 0 else { return 0 }
    let widest = [EventKind.dark, .flat, .projection].map(byteCount).max()!
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: widest, alignment: 64)
    defer { buffer.deallocate() }
    var passed: UInt64 = 0
    while passed < count, let (kind, number) = nextImage() {
      let pixels = UnsafeMutableRawBufferPointer(rebasing: buffer[..<byteCount(kind)])
      try fill(kind, number, into: pixels)
      if isTaken(kind, number, UnsafeRawBufferPointer(pixels)) { passed += 1 }
    }
    return passed
  }

  /// Darks first, then flats, then projections, then flats that were taken behind these.
  package func next(timeout: Duration) -> SourceStep {
    guard let (kind, number) = nextImage() else { return .end }
    let theta = kind == .projection ? reader.info.thetas[visits[number]] : 0
    return .frame(
      SourceFrame(
        kind: kind, index: ledger.count(of: kind), theta: theta, pixel: slotPixel(of: kind),
        origin: .file(self, number)))
  }

  private var imageCount: Int { reader.info.darkCount + reader.info.flatCount + visits.count }

  /// The next image and its number among those of its kind.
  private func nextImage() -> (kind: EventKind, number: Int)? {
    guard position < imageCount else { return nil }
    var number = position
    position += 1
    for (kind, count) in [(EventKind.dark, reader.info.darkCount), (.flat, flatsBefore), (.projection, visits.count)] {
      if number < count { return (kind, number) }
      number -= count
    }
    return (.flat, flatsBefore + number)
  }

  private func slotPixel(of kind: EventKind) -> PixelType { binning == 1 ? pixel(of: kind) : .float32 }

  /// Bytes of an image of a kind in its slot.
  private func byteCount(_ kind: EventKind) -> Int { shape.rows * shape.columns * slotPixel(of: kind).byteCount }

  /// Reads image `number` of a kind into `payload`, and writes the ledger beside it; nil where the image is empty.
  func write(
    _ kind: EventKind, _ number: Int, into payload: UnsafeMutableRawBufferPointer,
    metadata: UnsafeMutableRawBufferPointer
  ) throws -> Int? {
    try fill(kind, number, into: payload)
    guard isTaken(kind, number, UnsafeRawBufferPointer(payload)) else { return nil }
    // Otherwise a file says nothing of an image that is not in the file.
    return tellsEmpty ? ledger.encode(frame: UInt64(position - 1), timestamp: nil, into: metadata) : 0
  }

  /// Whether an image is to be published; the ledger takes note of it.
  private func isTaken(_ kind: EventKind, _ number: Int, _ pixels: UnsafeRawBufferPointer) -> Bool {
    if tellsEmpty {
      _ = ledger.note(frame: UInt64(position - 1))
      let frame = kind == .projection ? visits[number] : number
      guard !ledger.leavesOut(kind, frame: UInt64(frame), pixels, type: slotPixel(of: kind), level) else {
        return false
      }
    }
    ledger.notePublished(kind, .measured)
    return true
  }

  /// Reads image `index` of a kind from the file straight into `payload`, or through one image's buffer where pixels
  /// are binned.
  private func fill(_ kind: EventKind, _ index: Int, into payload: UnsafeMutableRawBufferPointer) throws {
    guard let unbinned else { return try readPixels(kind, index, into: payload) }
    try readPixels(kind, index, into: unbinned)
    bin(
      UnsafeRawPointer(unbinned.baseAddress!), type: pixel(of: kind), rows: rows.count, columns: reader.info.columns,
      by: binning, into: payload.baseAddress!.assumingMemoryBound(to: Float.self))
  }

  private func pixel(of kind: EventKind) -> PixelType {
    switch kind {
    case .dark: reader.info.darkPixel
    case .flat: reader.info.flatPixel
    default: reader.info.pixel
    }
  }

  private func readPixels(_ kind: EventKind, _ index: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
    let byteCount = rows.count * reader.info.columns * pixel(of: kind).byteCount
    let target = UnsafeMutableRawBufferPointer(rebasing: buffer[..<byteCount])
    switch kind {
    case .dark: try reader.readDark(index, rows: rows, into: target)
    case .flat: try reader.readFlat(index, rows: rows, into: target)
    default: try reader.readProjection(visits[index], rows: rows, into: target)
    }
  }
}
