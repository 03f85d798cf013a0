import Foundation
import Glibc
import Journal
import Rings
import RunModel
import Synchronization
import TestSupport
import Testing
import Topics

/// A durable topic whose disk has no room for a while.
@Suite(.enabled(if: SmallDisk.isAvailable, "mounting a small file system takes root with CAP_SYS_ADMIN"))
struct TopicFullDiskTests {
  private static let slots = 4

  private let disk: SmallDisk
  private let ring: TopicRing
  private var folder: String { disk.path + "/journal" }

  /// A ring whose name goes with this object.
  private final class TopicRing {
    let ring: Ring

    init() throws {
      let runID = RunID.random()
      ring = try Ring.create(
        name: RegionNames(runID: runID).ring(.projections),
        specification: RingSpecification(
          runID: runID, topic: 1, slotCount: slots, payloadCapacity: 60 << 10, requiredReaders: 1, whenFull: .spill,
          spillSlotCount: slots))
    }

    deinit { try? Ring.unlink(name: ring.name) }
  }

  init() throws {
    // Three segments of a journal.
    disk = try SmallDisk(byteCount: 4 << 20)
    ring = try TopicRing()
  }

  /// Room for as many events as a segment has, and as the ring has slots.
  private static let count: UInt64 = 60

  private func append(_ value: UInt64, to writer: TopicWriter) throws {
    let claim = try writer.claim(timeout: .milliseconds(300))
    claim.payload.initializeMemory(as: UInt64.self, repeating: value)
    try writer.commit(claim, EventFields(kind: .projection, payloadByteCount: claim.payload.count, projection: value))
  }

  private func expectAll(_ range: Range<UInt64>, at location: SourceLocation = #_sourceLocation) throws {
    let reader = try TopicReader(
      RingReader(ring: ring.ring, reader: 0),
      history: TopicHistory(folder: folder, specification: ring.ring.specification), replaying: true, checks: .payload)
    for value in range {
      let event = try #require(try reader.next(timeout: .seconds(30)), sourceLocation: location)
      #expect(
        event.header.projection == value && event.payload.load(as: UInt64.self) == value, sourceLocation: location)
    }
  }

  @Test func `a writer waits for room as long as it takes, says so, and loses nothing`() throws {
    let heard = Mutex<[Bool]>([])
    let writer = try TopicWriter(
      ring: ring.ring, folder: folder, room: .init(changed: { isFull in heard.withLock { $0.append(isFull) } }))
    try disk.fill()
    let path = disk.path
    // Longer than a claim waits for readers.
    Thread {
      usleep(900_000)
      unlink(path + "/filler")
    }.start()
    let start = ContinuousClock.now
    for value in 0..<Self.count { try append(value, to: writer) }
    try writer.flush()
    #expect(ContinuousClock.now - start > .milliseconds(600))
    #expect(heard.withLock { $0 } == [true, false])
    try expectAll(0..<Self.count)
  }

  @Test func `what had no room within the limit is in the ring for a successor`() throws {
    var writer: TopicWriter? = try TopicWriter(
      ring: ring.ring, folder: folder, room: .init(limit: .milliseconds(300)))
    try disk.fill()
    var written: UInt64 = 0
    let error = #expect(throws: RingError.self) {
      for value in 0..<Self.count {
        try append(value, to: #require(writer))
        written += 1
      }
    }
    #expect(error?.isTimeout == true && written > UInt64(2 * Self.slots))
    #expect(throws: JournalError.full(folder: "of \(ring.ring.name)")) { try writer?.flush() }
    let start = ContinuousClock.now
    writer = nil
    #expect(ContinuousClock.now - start < .seconds(5))
    disk.makeRoom()
    writer = try TopicWriter(ring: ring.ring, folder: folder)
    #expect(writer?.nextSequence == written)
    try expectAll(0..<written)
  }

  @Test func `a writer begins on a full disk, and its predecessor's events go there when there is room`() throws {
    try #require(mkdir(folder, 0o700) == 0)
    try disk.fill()
    var first: TopicWriter? = try TopicWriter(ring: ring.ring, folder: folder, room: .init(limit: .milliseconds(100)))
    for value in 0..<5 as Range<UInt64> { try append(value, to: #require(first)) }
    first = nil
    // A successor goes on at once, and knows where its predecessor was.
    let second = try TopicWriter(ring: ring.ring, folder: folder)
    #expect(second.nextSequence == 5)
    #expect(try second.lastEvent()?.header.projection == 4)
    try append(5, to: second)
    #expect(ring.ring.progress.published == 0)
    disk.makeRoom()
    try second.flush()
    #expect(try second.lastEvent()?.header.projection == 5)
    try expectAll(0..<6)
  }
}
