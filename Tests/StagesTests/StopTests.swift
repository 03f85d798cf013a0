import Detectors
import Glibc
import Host
import Rings
import RunModel
import Testing
import Topics

@testable import Stages

/// What acquire takes of a live source after it was asked to stop.
@Suite struct StopTests {
  /// Frames that wait already, and then one every `period` where that is given.
  private final class Waiting: FrameFeed {
    let holdsFrames: Bool
    private let (count, period): (Int, Duration?)
    private var next: UInt64 = 0
    private let image = UnsafeMutableRawBufferPointer.allocate(byteCount: 4, alignment: 8)

    init(_ count: Int, every period: Duration? = nil, holdsFrames: Bool = true) {
      (self.count, self.period, self.holdsFrames) = (count, period, holdsFrames)
      image.initializeMemory(as: UInt8.self, repeating: 1)
    }

    deinit { image.deallocate() }

    func resume(after number: UInt64, last _: UInt64) {}

    func next(timeout: Duration) throws -> FeedStep {
      if next >= count {
        usleep(UInt32(min(period ?? timeout, timeout) / .microseconds(1)))
        if period ?? .seconds(1000) > timeout { return .nothing }
      }
      defer { next += 1 }
      return .frame(FrameHeader(number: next), UnsafeRawBufferPointer(image))
    }
  }

  /// Acquires from a feed with a stop that is there from the first moment on; gives the images and the end.
  private func acquire(_ feed: Waiting) throws -> (images: Int, end: EndEvent, taken: Duration) {
    let runID = RunID.random()
    let names = RegionNames(runID: runID), topic = Topic(.projections)
    let ring = try Ring.create(
      name: names.ring(topic),
      specification: RingSpecification(
        runID: runID, topic: topic.id, partition: UInt32(topic.partition), slotCount: 512, payloadCapacity: 4,
        requiredReaders: 1))
    defer { try? SharedRegion.unlink(name: names.ring(topic)) }
    let source = LiveSource(
      LiveSource.Configuration(
        format: FrameFormat(rows: 1, columns: 4, pixel: .uint8), rows: 0..<1, binning: 1, darks: 0, flats: 0,
        thetas: (0..<1000).map(Double.init), silenceMax: nil),
      feed: feed
    ) { _ in }
    var stage = AcquireStage(
      source: source, writer: try TopicWriter(ring: ring), rate: nil, limits: WaitLimits(),
      stopRequested: { .signal }, didWork: {})
    let began = ContinuousClock.now
    try stage.run()
    let taken = ContinuousClock.now - began
    let reader = try TopicReader(RingReader(ring: ring, reader: 0), history: nil, replaying: false)
    var images = 0
    while let event = try reader.next(timeout: .zero) {
      if event.header.kind == .end { return (images, try EndEvent(decoding: event.metadata), taken) }
      images += 1
    }
    Issue.record("the topic has no end")
    return (images, EndEvent(reason: .sourceEnded, projections: 0), taken)
  }

  @Test func `What lies in the socket is taken, and nothing is waited for behind it`() throws {
    let (images, end, taken) = try acquire(Waiting(40))
    #expect(images == 40 && end.projections == 40 && end.reason == .signal)
    #expect(taken < .milliseconds(800), "\(taken)")
  }

  @Test func `A detector that goes on holds nobody up for longer than a second`() throws {
    let (images, end, taken) = try acquire(Waiting(3, every: .milliseconds(10)))
    #expect(images > 3 && end.projections == images && end.reason == .signal)
    #expect(taken > .milliseconds(900) && taken < .milliseconds(1800), "\(taken)")
  }

  @Test func `What stays at its source is left there`() throws {
    let (images, end, _) = try acquire(Waiting(40, holdsFrames: false))
    #expect(images == 0 && end.projections == 0 && end.reason == .signal)
  }
}
