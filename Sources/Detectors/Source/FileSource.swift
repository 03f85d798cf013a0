import Host
import Rings
package import ScanFiles
import Tomography

/// Delivers a scan file: its darks, its flats, then its projections in the order of the file or another, cropped to a
/// range of rows and binned if asked. Projections are numbered in the order in which they are delivered.
package final class FileSource: ProjectionSource {
  private let reader: any ScanReader
  private let rows: Range<Int>
  private let binning: Int
  /// The numbers of projections in the file, in the order in which they are delivered.
  private let visits: [Int]
  private var position = 0
  private let unbinned: UnsafeMutableRawBufferPointer?

  /// `rows` are detector rows of the file; `binning` is the edge of the squares of pixels whose mean becomes one pixel.
  /// `visits` are the numbers of the file's projections in the order in which they are delivered, nil for that of the
  /// file; with none only fields are.
  package init(reader: any ScanReader, rows: Range<Int>, binning: Int, visits: [Int]? = nil) {
    precondition(
      !rows.isEmpty && rows.upperBound <= reader.info.rows && binning >= 1, "rows \(rows), binning \(binning)")
    self.reader = reader
    self.rows = rows
    self.binning = binning
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

  /// Passes over what was published, lost or not.
  package func resume(after count: UInt64, metadata: [UInt8], lost: UInt64) -> Int? {
    let fields = reader.info.darkCount + reader.info.flatCount
    guard count <= UInt64(fields + visits.count) else { return nil }
    position = Int(count)
    return max(0, position - fields)
  }

  /// Darks first, then flats, then projections.
  package func next(timeout: Duration) -> SourceStep {
    let info = reader.info
    let number = position
    position += 1
    if number < info.darkCount { return .frame(frame(.dark, number, theta: 0)) }
    if number < info.darkCount + info.flatCount { return .frame(frame(.flat, number - info.darkCount, theta: 0)) }
    let index = number - info.darkCount - info.flatCount
    guard index < visits.count else { return .end }
    return .frame(frame(.projection, index, theta: info.thetas[visits[index]]))
  }

  private func frame(_ kind: EventKind, _ index: Int, theta: Double) -> SourceFrame {
    SourceFrame(
      kind: kind, index: index, theta: theta, pixel: binning == 1 ? pixel(of: kind) : .float32, origin: .file(self))
  }

  /// Reads image `index` of a kind from the file straight into `payload`, or through one image's buffer where pixels
  /// are binned.
  func write(_ kind: EventKind, _ index: Int, into payload: UnsafeMutableRawBufferPointer) throws {
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
