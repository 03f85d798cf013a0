import Glibc
import Host
import Rings
import RunModel
import Testing

@testable import Detectors

/// When a live source ends, and what it then says of what did not come.
@Suite struct LiveSourceEndTests {
  /// Frames that come by the clock, and the message of the end behind them where there is one.
  private final class Script: FrameFeed {
    var endIsAwaited = true
    /// When it comes after the last frame.
    var end: Duration?
    private(set) var endWasTaken = false
    private var steps: ArraySlice<(after: Duration, number: UInt64)>
    private var last = ContinuousClock.now
    private let image = UnsafeMutableRawBufferPointer.allocate(byteCount: 4, alignment: 8)

    init(_ steps: [(after: Duration, number: UInt64)]) {
      self.steps = steps[...]
      image.initializeMemory(as: UInt8.self, repeating: 1)
    }

    deinit { image.deallocate() }

    func resume(after number: UInt64, last _: UInt64) {}

    func next(timeout: Duration) throws -> FeedStep {
      let due = steps.first.map { last + $0.after } ?? end.map { last + $0 } ?? .now + timeout
      let deadline = ContinuousClock.now + timeout
      while ContinuousClock.now < min(due, deadline) { usleep(1000) }
      guard due <= .now else { return .nothing }
      guard let step = steps.popFirst() else {
        endWasTaken = end != nil
        return endWasTaken ? .end(nil) : .nothing
      }
      last = .now
      return .frame(FrameHeader(number: step.number), UnsafeRawBufferPointer(image))
    }
  }

  /// Runs a source of four projections to its end; gives its ledger and how long the end took after the last frame.
  private func run(_ steps: [(after: Duration, number: UInt64)], silenceMax: Duration? = nil) throws -> (
    LossLedger, Duration
  ) {
    let (source, wait) = try end(of: Script(steps), silenceMax: silenceMax)
    return (try #require(source.losses), wait)
  }

  private func end(
    of feed: Script, projections: Int = 4, silenceMax: Duration? = nil, first: (LiveSource) throws -> Void = { _ in }
  ) throws -> (LiveSource, Duration) {
    let configuration = LiveSource.Configuration(
      format: FrameFormat(rows: 1, columns: 4, pixel: .uint8), rows: 0..<1, binning: 1, darks: 0, flats: 0,
      thetas: (0..<projections).map(Double.init),
      silenceMax: silenceMax)
    let source = LiveSource(configuration, feed: feed) { _ in }
    try first(source)
    let payload = UnsafeMutableRawBufferPointer.allocate(byteCount: 4, alignment: 8)
    let metadata = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 8)
    defer {
      payload.deallocate()
      metadata.deallocate()
    }
    var last = ContinuousClock.now
    for _ in 0..<1000 {
      switch try source.next(timeout: .milliseconds(20)) {
      case .frame(let frame):
        _ = try frame.write(into: payload, metadata: metadata)
        last = .now
      case .nothing: break
      case .end: return (source, .now - last)
      }
    }
    Issue.record("the source did not end")
    return (source, .zero)
  }

  private func frames(_ numbers: UInt64..., after: Duration = .zero) -> [(after: Duration, number: UInt64)] {
    frames(numbers, after: after)
  }

  private func frames(_ numbers: [UInt64], after: Duration = .zero) -> [(after: Duration, number: UInt64)] {
    numbers.map { (after, $0) }
  }

  @Test func `A frame that comes late, even behind the last one, is waited for`() throws {
    let (ledger, _) = try run(frames(0, 1, 3, after: .milliseconds(400)) + frames(2, after: .milliseconds(300)))
    #expect(ledger.lost == 0 && ledger.late == 1 && ledger.projections == 4)
  }

  @Test func `What does not come within a second after the last frame is lost`() throws {
    let (ledger, wait) = try run(frames(0, 2, 3))
    #expect(ledger.lost == 1 && ledger.gaps == [1..<2] && ledger.projections == 3 && wait >= .milliseconds(900))
  }

  @Test func `Silence is counted from the last frame, not from the first`() throws {
    let (whole, _) = try run(frames(0, 1, 2, 3, after: .milliseconds(500)), silenceMax: .milliseconds(1500))
    #expect(whole.projections == 4)
    let (short, silence) = try run(frames(0, 1, after: .milliseconds(500)), silenceMax: .milliseconds(1500))
    #expect(short.projections == 2 && silence >= .milliseconds(1400))
    // The rest of the scan never came.
    #expect(short.lost == 2 && short.gaps == [2..<4] && whole.lost == 0)
  }

  @Test func `Images that were lost behind the last whole one are in the ledger, once, whatever follows`() throws {
    var ledger = LossLedger()
    for frame: UInt64 in 0..<3 {
      #expect(ledger.note(frame: frame) == .new(gap: frame..<frame))
      ledger.notePublished(.projection, .measured)
    }
    let metadata = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 8)
    defer { metadata.deallocate() }
    let bytes = Array(metadata.prefix(ledger.encode(frame: 2, timestamp: nil, into: metadata)))
    func resumed(_ frames: [UInt64]) throws -> LossLedger {
      let (source, _) = try end(of: Script(self.frames(frames)), projections: 10, silenceMax: .milliseconds(100)) {
        let projections = try $0.resume(after: 6, metadata: bytes, lost: 3)
        #expect(projections == 3)
      }
      return try #require(source.losses)
    }
    // Another one follows: they are in its gap.
    let followed = try resumed([6, 7, 8, 9])
    #expect(followed.lost == 3 && followed.gaps == [3..<6] && followed.projections == 7)
    // They come again.
    #expect(try resumed([3, 4, 5, 6, 7, 8, 9]).lost == 0)
    // Nothing follows, and the rest of the scan never came.
    #expect(try resumed([]).lost == 7)
  }

  @Test func `The message of the end is taken from a sender that waits for that, when all images are there already`()
    throws
  {
    func leave(_ feed: Script) throws -> (endWasTaken: Bool, wait: Duration) {
      let (source, _) = try end(of: feed)
      let start = ContinuousClock.now
      source.takeLeave()
      return (feed.endWasTaken, .now - start)
    }
    let prompt = Script(frames(0, 1, 2, 3))
    prompt.end = .milliseconds(300)
    #expect(try leave(prompt).endWasTaken)
    let silent = try leave(Script(frames(0, 1, 2, 3)))
    #expect(!silent.endWasTaken && silent.wait >= .milliseconds(900))
    // Where the end was found by its message, and where nobody waits.
    let known = Script(frames(0, 1, 2))
    known.end = .zero
    #expect(try leave(known).wait < .milliseconds(500))
    let careless = Script(frames(0, 1, 2, 3))
    (careless.end, careless.endIsAwaited) = (.milliseconds(100), false)
    #expect(try !leave(careless).endWasTaken)
    // What follows in its place is of another scan.
    let next = Script(frames(0, 1, 2, 3, 0, 1))
    next.end = .zero
    #expect(try !leave(next).endWasTaken)
  }

  @Test func `A detector that goes on behind the scan has ended it, and what did not come is lost`() throws {
    let (ledger, _) = try run(frames(0, 1) + (4..<400).map { (.milliseconds(5), $0) })
    #expect(ledger.projections == 2 && ledger.lost == 2 && ledger.gaps == [2..<4])
    // One frame of another scan is none of this one's end.
    let (whole, _) = try run(frames(0, 1, 99) + frames(2, 3, after: .milliseconds(1200)))
    #expect(whole.projections == 4 && whole.lost == 0 && whole.losses.malformed == 1)
  }
}
