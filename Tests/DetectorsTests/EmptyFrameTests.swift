import Host
import Rings
import RunModel
import ScanFiles
import Testing

@testable import Detectors

/// Images that show nothing are left out, by whoever takes them and however often.
@Suite struct EmptyFrameTests {
  /// Frames of four pixels that all have one value: a dark, two flats, then projections.
  private final class Script: FrameFeed {
    private var frames: ArraySlice<(number: UInt64, value: UInt8)>
    private let image = UnsafeMutableRawBufferPointer.allocate(byteCount: 4, alignment: 8)

    init(_ frames: [(number: UInt64, value: UInt8)]) { self.frames = frames[...] }

    deinit { image.deallocate() }

    func resume(after number: UInt64, last _: UInt64) {}

    func next(timeout: Duration) -> FeedStep {
      guard let (number, value) = frames.popFirst() else { return .end(nil) }
      image.initializeMemory(as: UInt8.self, repeating: value)
      return .frame(FrameHeader(number: number), UnsafeRawBufferPointer(image))
    }
  }

  /// A scan of one row of four pixels in memory.
  private final class Reader: ScanReader {
    let info: ScanInfo
    private let images: [EventKind: [UInt8]]

    init(darks: [UInt8], flats: [UInt8], projections: [UInt8]) {
      images = [.dark: darks, .flat: flats, .projection: projections]
      info = ScanInfo(
        path: "", format: .dxchange, projectionCount: projections.count, rows: 1, columns: 4, pixel: .uint8,
        flatPixel: .uint8, darkPixel: .uint8, thetas: projections.indices.map(Double.init), thetaSource: "",
        flatCount: flats.count, darkCount: darks.count, invalidCount: 0, pixelSizeMillimetres: nil, notices: [])
    }

    private func read(_ kind: EventKind, _ index: Int, _ buffer: UnsafeMutableRawBufferPointer) {
      buffer.initializeMemory(as: UInt8.self, repeating: images[kind]?[index] ?? 0)
    }

    func readProjection(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) {
      read(.projection, index, buffer)
    }
    func readFlat(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) {
      read(.flat, index, buffer)
    }
    func readDark(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) {
      read(.dark, index, buffer)
    }
  }

  /// An image as it was delivered.
  private struct Delivered: Equatable {
    let kind: EventKind
    let index: Int
    let theta: Double
    let value: UInt8
    let metadata: [UInt8]
  }

  /// Takes up to `count` images of a source.
  private func take(_ count: Int = .max, from source: any ProjectionSource) throws -> [Delivered] {
    let slot = UnsafeMutableRawBufferPointer.allocate(byteCount: 16, alignment: 8)
    let metadata = UnsafeMutableRawBufferPointer.allocate(byteCount: EventHeader.metadataCapacity, alignment: 8)
    defer {
      slot.deallocate()
      metadata.deallocate()
    }
    var delivered: [Delivered] = []
    while delivered.count < count, case .frame(let frame) = try source.next(timeout: .zero) {
      let (kind, index, theta) = (frame.kind, frame.index, frame.theta)
      let payload = UnsafeMutableRawBufferPointer(rebasing: slot[..<(4 * frame.pixel.byteCount)])
      guard let used = try frame.write(into: payload, metadata: metadata) else { continue }
      delivered.append(
        Delivered(kind: kind, index: index, theta: theta, value: payload[0], metadata: Array(metadata[..<used])))
    }
    return delivered
  }

  private let scan = (
    darks: [10, 10] as [UInt8], flats: [10, 200, 0, 202] as [UInt8], projections: [90, 0, 10, 80, 70, 10] as [UInt8]
  )

  private func file(visits: [Int]? = nil, tellsEmpty: Bool = true, flatsBehind: Int = 0) -> FileSource {
    FileSource(
      reader: Reader(darks: scan.darks, flats: scan.flats, projections: scan.projections), rows: 0..<1, binning: 1,
      visits: visits, tellsEmpty: tellsEmpty, flatsBehind: flatsBehind)
  }

  @Test func `A file's flats and projections that show nothing are left out and named`() throws {
    let source = file(), delivered = try take(from: source)
    #expect(delivered.map(\.value) == [10, 10, 200, 202, 90, 80, 70])
    #expect(delivered.map(\.index) == [0, 1, 0, 1, 0, 1, 2])
    #expect(delivered.suffix(3).map(\.theta) == [0, 3, 4])
    let ledger = try #require(source.losses)
    #expect(ledger.emptyRanges == [1..<3, 5..<6] && ledger.empty == 3 && ledger.emptyFlats == 2 && ledger.lost == 0)
    // Nothing is left out of line integrals, and nothing is said beside them.
    let all = file(tellsEmpty: false), whole = try take(from: all)
    #expect(whole.count == 12 && whole.allSatisfy(\.metadata.isEmpty) && all.losses == nil)
  }

  @Test func `Projections that are visited in another order are named as in the file`() throws {
    let source = file(visits: [5, 4, 3, 2, 1, 0])
    #expect(try take(from: source).map(\.value) == [10, 10, 200, 202, 70, 80, 90])
    #expect(try #require(source.losses).emptyRanges == [1..<3, 5..<6])
  }

  @Test func `A successor delivers what is left, bit for bit, wherever its predecessor ended and whatever was lost`()
    throws
  {
    let reference = try take(from: file())
    for count in 0...reference.count {
      for lost in 0...count {
        let source = file()
        let newest = count > lost ? reference[count - lost - 1].metadata : []
        let projections = try source.resume(after: UInt64(count), metadata: newest, lost: UInt64(lost))
        #expect(projections == max(0, count - 4), "\(count), \(lost)")
        #expect(try take(from: source) == Array(reference[count...]), "\(count), \(lost)")
        #expect(try #require(source.losses).empty == 3)
      }
    }
    #expect(try file().resume(after: UInt64(reference.count + 1), metadata: [], lost: 0) == nil)
  }

  @Test func `Flats that were taken behind the scan come behind it, to a successor too`() throws {
    let reference = try take(from: file(flatsBehind: 2))
    #expect(reference.map(\.value) == [10, 10, 200, 90, 80, 70, 202])
    #expect(reference.map(\.kind) == [.dark, .dark, .flat, .projection, .projection, .projection, .flat])
    for count in 0...reference.count {
      let source = file(flatsBehind: 2)
      let newest = count > 0 ? reference[count - 1].metadata : []
      _ = try #require(try source.resume(after: UInt64(count), metadata: newest, lost: 0))
      #expect(try take(from: source) == Array(reference[count...]), "\(count)")
    }
  }

  private func live(_ values: [UInt8], darks: Int, flats: Int, fillsGaps: Bool = false, without: Set<UInt64> = [])
    -> LiveSource
  {
    let configuration = LiveSource.Configuration(
      format: FrameFormat(rows: 1, columns: 4, pixel: .uint8), rows: 0..<1, binning: 1, darks: darks, flats: flats,
      thetas: (0..<values.count - darks - flats).map(Double.init), fillsGaps: fillsGaps, tellsEmpty: true)
    let frames = values.enumerated().map { (number: UInt64($0.0), value: $0.1) }
    return LiveSource(configuration, feed: Script(frames.filter { !without.contains($0.number) })) { _ in }
  }

  @Test func `A detector's frames that show nothing are left out, and the scan ends without waiting for others`() throws
  {
    let source = live(scan.darks + scan.flats + scan.projections, darks: 2, flats: 4)
    let delivered = try take(from: source)
    #expect(delivered.map(\.value) == [10, 10, 200, 202, 90, 80, 70])
    #expect(delivered.suffix(3).map(\.theta) == [0, 3, 4])
    let ledger = try #require(source.losses)
    #expect(ledger.emptyRanges == [7..<9, 11..<12] && ledger.emptyFlats == 2 && ledger.lost == 0)
    guard case .end = try source.next(timeout: .zero) else { return #expect(Bool(false), "the scan is complete") }
  }

  @Test func `A successor of a live source decides by the fields that its predecessor took`() throws {
    let values = scan.darks + scan.flats + scan.projections
    let reference = try take(from: live(values, darks: 2, flats: 4))
    // Behind the first projection the detector's own next frames come.
    let source = live(values, darks: 2, flats: 4, without: Set(0...6))
    #expect(try source.resume(after: 5, metadata: reference[4].metadata, lost: 0) == 1)
    #expect(try take(from: source).map(\.value) == [80, 70])
    #expect(try #require(source.losses).emptyRanges == [7..<9, 11..<12])
  }

  @Test func `No gap is filled from an image that shows nothing`() throws {
    // Frame 3 is lost; 2 before it, then 4 behind it is empty; a gap between whole ones is filled.
    for (values, expected) in [
      ([10, 200, 90, 0, 90, 90], [10, 200, 90, 90, 90, 90]), ([10, 200, 0, 0, 90, 90], [10, 200, 90, 90]),
      ([10, 200, 90, 0, 10, 90], [10, 200, 90, 90]),
    ] as [([UInt8], [UInt8])] {
      let source = live(values, darks: 1, flats: 1, fillsGaps: true, without: [3])
      #expect(try take(from: source).map(\.value) == expected, "\(values)")
    }
  }

  @Test func `A beam that was said is compared with the darks of the stream`() throws {
    let beam = FileSource(
      reader: AssumedBeamFields(rows: 1, columns: 4, value: 200), rows: 0..<1, binning: 1, visits: [], tellsEmpty: true)
    let source = FieldsFirst(beam, fieldCount: 1, then: live([10, 10] + scan.projections, darks: 2, flats: 0))
    // The flat field is a float, of which the first byte is seen here.
    #expect(try take(from: source).map(\.value) == [0, 10, 10, 90, 80, 70])
    #expect(try #require(source.losses).emptyRanges == [3..<5, 7..<8])
  }

  @Test func `The fields of a file tell a stream's empty frames, and its own empty flats are counted`() throws {
    let fields = FileSource(
      reader: Reader(darks: scan.darks, flats: scan.flats, projections: [0]), rows: 0..<1, binning: 1, visits: [],
      tellsEmpty: true)
    let source = FieldsFirst(
      fields, fieldCount: 6, then: live(scan.projections, darks: 0, flats: 0))
    #expect(try take(from: source).map(\.value) == [10, 10, 200, 202, 90, 80, 70])
    let ledger = try #require(source.losses)
    #expect(ledger.emptyRanges == [1..<3, 5..<6] && ledger.emptyFlats == 2)
  }
}
