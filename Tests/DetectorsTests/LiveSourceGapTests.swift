import Host
import Rings
import RunModel
import Testing

@testable import Detectors

/// What stands in place of projections that never came.
@Suite struct LiveSourceGapTests {
  /// Frames of four pixels, which all have the frame's number times 30; damaged ones say that they are packed.
  private final class Script: FrameFeed {
    private var numbers: ArraySlice<UInt64>
    private let damaged: Set<UInt64>
    private let image = UnsafeMutableRawBufferPointer.allocate(byteCount: 4, alignment: 8)

    init(_ numbers: [UInt64], damaged: Set<UInt64>) { (self.numbers, self.damaged) = (numbers[...], damaged) }

    deinit { image.deallocate() }

    func resume(after number: UInt64, last _: UInt64) {}

    func next(timeout: Duration) -> FeedStep {
      guard let number = numbers.popFirst() else { return .end(nil) }
      image.initializeMemory(as: UInt8.self, repeating: UInt8(30 * number))
      var header = FrameHeader(number: number)
      header.timestamp = Double(number)
      if damaged.contains(number) { header.encoding = .lz4 }
      return .frame(header, UnsafeRawBufferPointer(image))
    }
  }

  /// A frame as it was delivered.
  private struct Delivered: Equatable {
    let index: Int
    let theta: Double
    let pixel: UInt8
    let frame: UInt64
    let timestamp: Double
  }

  /// Runs a source of eight projections, of which such numbers come; nil for every frame that was damaged.
  private func run(_ numbers: [UInt64], damaged: Set<UInt64> = []) throws -> ([Delivered?], LossLedger) {
    let configuration = LiveSource.Configuration(
      format: FrameFormat(rows: 1, columns: 4, pixel: .uint8), rows: 0..<1, binning: 1, darks: 0, flats: 0,
      thetas: (0..<8).map { Double($0) / 4 }, onGap: .interpolate)
    let source = LiveSource(configuration, feed: Script(numbers, damaged: damaged)) { _ in }
    let payload = UnsafeMutableRawBufferPointer.allocate(byteCount: 4, alignment: 8)
    let metadata = UnsafeMutableRawBufferPointer.allocate(byteCount: EventHeader.metadataCapacity, alignment: 8)
    defer {
      payload.deallocate()
      metadata.deallocate()
    }
    var delivered: [Delivered?] = []
    while case .frame(let frame) = try source.next(timeout: .zero) {
      let (index, theta) = (frame.index, frame.theta)
      guard try frame.write(into: payload, metadata: metadata) != nil else {
        delivered.append(nil)
        continue
      }
      #expect(Set(payload).count == 1)
      delivered.append(
        Delivered(
          index: index, theta: theta, pixel: payload[0], frame: metadata.load(as: UInt64.self),
          timestamp: metadata.load(fromByteOffset: 64, as: Double.self)))
    }
    return (delivered, try #require(source.losses))
  }

  @Test func `A short gap is filled with what lies between its neighbours, pixels and thetas`() throws {
    let (delivered, ledger) = try run([0, 1, 4, 5])
    #expect(delivered.map { $0?.frame } == [0, 1, 2, 3, 4, 5] && delivered.map { $0?.index } == Array(0..<6))
    #expect(delivered.map { $0?.pixel } == [0, 30, 60, 90, 120, 150])
    for (index, frame) in delivered.enumerated() { #expect(abs((frame?.theta ?? .nan) - Double(index) / 4) < 1e-12) }
    #expect(delivered.map { $0?.timestamp.isNaN } == [false, false, true, true, false, false])
    #expect(ledger.projections == 6 && ledger.interpolated == 2 && ledger.lost == 2)
  }

  @Test func `Where the image behind a gap is damaged, the gap stays, and it is lost too`() throws {
    let (delivered, ledger) = try run([0, 1, 3, 4], damaged: [3])
    #expect(delivered.map { $0?.frame } == [0, 1, nil, 4] && delivered.map { $0?.index } == [0, 1, nil, 2])
    #expect(ledger.gaps.joined().elementsEqual([2, 3]) && ledger.interpolated == 0 && ledger.losses.malformed == 1)
  }

  @Test func `What comes late finds its place taken`() throws {
    let (delivered, ledger) = try run([0, 2, 1, 3])
    #expect(delivered.map { $0?.frame } == [0, 1, 2, 3] && delivered.map { $0?.pixel } == [0, 30, 60, 90])
    #expect(ledger.duplicates == 1 && ledger.interpolated == 1 && ledger.late == 0)
  }
}
