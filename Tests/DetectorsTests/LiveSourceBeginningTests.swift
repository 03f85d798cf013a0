import Glibc
import Host
import Rings
import RunModel
import Testing

@testable import Detectors

/// How a live source finds the scan's first frame, and what a successor of acquire knows of it.
@Suite struct LiveSourceBeginningTests {
  /// What a detector sends; a frame's pixels are its number.
  private enum Sent { case frame(UInt64, series: UInt64? = nil, key: ImageKey? = nil), series(UInt64), fault, nothing }

  private final class Script: FrameFeed {
    var firstNumber = FrameNumbering.FirstNumber.unknown
    private(set) var resumedAfter: UInt64?
    private var sent: ArraySlice<Sent>
    /// What comes behind all of it, for ever.
    private let rest: Sent
    private let image = UnsafeMutableRawBufferPointer.allocate(byteCount: 4, alignment: 8)

    init(_ sent: [Sent], then rest: Sent = .nothing) { (self.sent, self.rest) = (sent[...], rest) }

    deinit { image.deallocate() }

    func resume(after number: UInt64, last _: UInt64) { resumedAfter = number }

    func next(timeout: Duration) -> FeedStep {
      switch sent.popFirst() ?? rest {
      case .frame(let number, let series, let key):
        var header = FrameHeader(number: number)
        (header.series, header.key) = (series, key)
        image.initializeMemory(as: UInt8.self, repeating: UInt8(truncatingIfNeeded: number))
        return .frame(header, UnsafeRawBufferPointer(image))
      case .series(let series): return .series(series)
      case .fault: return .fault(.shape, "3 × 2 came")
      case .nothing: return .nothing
      }
    }
  }

  /// What a source delivered, and what it said.
  private struct Run {
    var thetas: [Double] = []
    var notices: [SourceNotice] = []
    var ledger = LossLedger()
    var metadata: [UInt8] = []
    var hasEnded = false
    var reason = EndEvent.Reason.sourceEnded

    var origins: [SourceOrigin] {
      notices.compactMap { if case .began(let origin, _) = $0 { origin } else { nil } }
    }
  }

  /// Runs a source of six projections at the thetas 0 to 5, for so many frames at most.
  private func run(
    _ script: Script, first: UInt64? = nil, origin: SourceOrigin = SourceOrigin(),
    fields: (darks: Int, flats: Int) = (0, 0),
    silenceMax: Duration? = .milliseconds(40), frames: Int = .max,
    prepare: (LiveSource) throws -> Void = { _ in }
  ) throws -> Run {
    var result = Run()
    let configuration = LiveSource.Configuration(
      format: FrameFormat(rows: 1, columns: 4, pixel: .uint8), rows: 0..<1, binning: 1, darks: fields.darks,
      flats: fields.flats, thetas: (0..<6).map(Double.init), firstFrame: first, origin: origin, silenceMax: silenceMax)
    var notices: [SourceNotice] = []
    let source = LiveSource(configuration, feed: script) { notices.append($0) }
    try prepare(source)
    let payload = UnsafeMutableRawBufferPointer.allocate(byteCount: 4, alignment: 8)
    let metadata = UnsafeMutableRawBufferPointer.allocate(byteCount: EventHeader.metadataCapacity, alignment: 8)
    defer {
      payload.deallocate()
      metadata.deallocate()
    }
    let deadline = Deadline(after: .seconds(20))
    while result.thetas.count < frames, !result.hasEnded, !deadline.hasPassed {
      switch try source.next(timeout: .zero) {
      case .frame(let frame):
        if frame.kind == .projection { result.thetas.append(frame.theta) }
        let count = try #require(try frame.write(into: payload, metadata: metadata))
        result.metadata = Array(metadata[..<count])
      case .nothing: break
      case .end: result.hasEnded = true
      }
    }
    (result.notices, result.ledger) = (notices, try #require(source.losses))
    result.reason = source.endReason
    return result
  }

  private func frames(_ numbers: some Sequence<UInt64>) -> [Sent] { numbers.map { .frame($0) } }

  @Test(arguments: [0, 1, 1001, 5001, (1 << 31) - 3, (1 << 32) - 3] as [UInt64])
  func `Wherever a detector begins to count, every projection has its theta`(first: UInt64) throws {
    // The last two are counters that begin again at 0, one of 31 bits and one of 32.
    let end: UInt64 = first == (1 << 32) - 3 ? 1 << 32 : 1 << 31
    let numbers = (0..<6).map { first < 6000 ? first + $0 : (first + $0) % end }
    let result = try run(Script(frames(numbers)))
    #expect(result.thetas == [0, 1, 2, 3, 4, 5] && result.ledger.lost == 0 && result.ledger.losses.malformed == 0)
    #expect(result.origins == [SourceOrigin(firstFrame: first)] && result.hasEnded)
    #expect(LossReport(result.ledger, firstFrame: 0).firstFrame == first)
  }

  @Test func `Where the first frames are lost, what is known of the detector keeps the others' thetas`() throws {
    #expect(try run(Script(frames(3...6)), first: 1).thetas == [2, 3, 4, 5])
    let script = Script(frames(33...36))
    script.firstNumber = .expected(31)
    let result = try run(script)
    #expect(result.thetas == [2, 3, 4, 5] && result.ledger.gaps == [0..<2] && result.ledger.lost == 2)
    #expect(LossReport(result.ledger, firstFrame: 0).gaps == [[31, 32]])
    // Nothing is known: what was assumed is said.
    let assumed = try run(Script(frames(33...36)))
    #expect(assumed.thetas == [0, 1, 2, 3])
    #expect(assumed.notices.first?.words == "the first frame that came has number 33; the scan begins with 33")
  }

  @Test func `A successor counts as its predecessor did, by the image before or by the region`() throws {
    let before = try run(Script(frames([1001, 1002, 1003])), frames: 3)
    let successor = Script(frames([1005, 1006]))
    let after = try run(successor, silenceMax: .milliseconds(20)) {
      let projections = try $0.resume(after: 3, metadata: before.metadata, lost: 0)
      #expect(projections == 3)
    }
    #expect(after.thetas == [4, 5] && successor.resumedAfter == 1004 && after.origins.isEmpty)
    // It died before anything was published.
    #expect(try run(Script(frames([1002, 1003])), origin: before.origins[0], frames: 2).thetas == [1, 2])
    // An older build's ledger says nothing, and began at 0.
    var older = before.metadata
    for byte in 144..<152 { older[byte] = 0 }
    let resumed = try run(Script(frames([3, 4])), silenceMax: .milliseconds(20)) {
      _ = try $0.resume(after: 3, metadata: older, lost: 0)
    }
    #expect(resumed.thetas == [3, 4])
  }

  @Test func `A series that begins before all of the scan came ends it, with its header or its first image`() throws {
    func series(_ series: UInt64, _ numbers: ClosedRange<UInt64>) -> [Sent] {
      numbers.map { .frame($0, series: series) }
    }
    for next in [[Sent.series(7)], []] {
      let script = Script([.series(6)] + series(6, 0...3) + next + series(7, 0...5))
      script.firstNumber = .exactly(0)
      let result = try run(script, silenceMax: nil)
      #expect(result.hasEnded && result.thetas == [0, 1, 2, 3] && result.ledger.lost == 2)
      #expect(result.notices.last?.words == "series 7 began before all of the scan came, which it ends")
      #expect(result.origins == [SourceOrigin(firstFrame: 0, series: 6)] && result.reason == .overtaken)
    }
    // Before the first frame a series may follow another, as where one was aborted.
    let script = Script([.series(6), .series(7)] + series(7, 0...5))
    script.firstNumber = .exactly(0)
    #expect(try run(script).thetas == [0, 1, 2, 3, 4, 5])
    // A successor knows the series.
    let successor = Script([.series(7)] + series(7, 0...5))
    let before = try run(Script(series(6, 0...1)), frames: 2)
    let ended = try run(successor, origin: SourceOrigin(firstFrame: 0, series: 6), silenceMax: nil) {
      _ = try $0.resume(after: 2, metadata: before.metadata, lost: 0)
    }
    #expect(ended.hasEnded && ended.thetas.isEmpty && ended.ledger.projections == 2)
  }

  @Test func `A source of which nothing can be used, or from which nothing comes, is silent`() throws {
    for rest in [Sent.nothing, .fault, .frame(1 << 39)] {
      let script = Script([], then: rest)
      script.firstNumber = .exactly(0)
      let start = ContinuousClock.now
      let result = try run(script, silenceMax: .milliseconds(60))
      #expect(result.hasEnded && result.thetas.isEmpty && result.ledger.lost == 6)
      #expect(ContinuousClock.now - start >= .milliseconds(60))
    }
    // Frames of the scan, and nothing but refused messages after them.
    let result = try run(Script(frames([0, 1]), then: .fault), silenceMax: .milliseconds(60))
    #expect(result.hasEnded && result.thetas == [0, 1] && result.ledger.lost == 4 && result.reason == .silence)
    #expect(try run(Script(frames([0, 1, 2, 3, 4, 5]))).reason == .sourceEnded)
  }

  @Test func `While nobody waits, because an image is being published, the source is not silent`() throws {
    let source = Script([.frame(0), .fault, .frame(1), .frame(2), .frame(3), .frame(4), .frame(5)])
    let configuration = LiveSource.Configuration(
      format: FrameFormat(rows: 1, columns: 4, pixel: .uint8), rows: 0..<1, binning: 1, darks: 0, flats: 0,
      thetas: (0..<6).map(Double.init), silenceMax: .milliseconds(50))
    let live = LiveSource(configuration, feed: source) { _ in }
    var count = 0
    for _ in 0..<6 {
      guard case .frame = try live.next(timeout: .zero) else { break }
      count += 1
      usleep(80_000)
    }
    #expect(count == 6)
  }

  @Test func `Flat fields in surplus do not move the projections`() throws {
    let sent: [Sent] =
      [.frame(0, key: .dark)] + (1...4).map { .frame($0, key: .flat) } + (5...10).map { .frame($0, key: .projection) }
    let result = try run(Script(sent), fields: (1, 2))
    #expect(result.thetas == [0, 1, 2, 3, 4, 5] && result.ledger.malformed[MessageFault.surplus.rawValue] == 2)
    let said = result.notices.compactMap { if case .dropped(.surplus, let detail, 1) = $0 { detail } else { nil } }
    #expect(said == ["frame 3 is a flat field behind all 2; --flats says how many come"])
  }
}
