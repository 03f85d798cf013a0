import Foundation
import Host
import Journal
import Rings
import RunModel
import TestSupport
import Testing
import Topics

/// A durable topic: its ring and its journal are one stream.
@Suite struct TopicSpillTests {
  private static let wordCount = 1000

  /// A ring of four slots with its journal.
  private final class DurableTopic {
    let folder: TestFolder
    let ring: Ring

    init(readers: Int = 1) throws {
      folder = try TestFolder()
      let runID = RunID.random()
      ring = try Ring.create(
        name: RegionNames(runID: runID).ring(.projections),
        specification: RingSpecification(
          runID: runID, topic: 1, slotCount: 4, payloadCapacity: 8 * wordCount, requiredReaders: readers,
          whenFull: .spill,
          spillSlotCount: 4))
    }

    deinit { try? Ring.unlink(name: ring.name) }

    func reader(_ number: Int = 0, replaying: Bool = false, checks: TopicReader.Checks = .header) throws -> TopicReader
    {
      try TopicReader(
        RingReader(ring: ring, reader: number),
        history: TopicHistory(folder: folder.path, specification: ring.specification),
        replaying: replaying, checks: checks)
    }
  }

  private func append(_ value: UInt64, to writer: TopicWriter) throws {
    let claim = try writer.claim(timeout: .seconds(30))
    for word in 0..<Self.wordCount {
      claim.payload.storeBytes(of: value &* 31 &+ UInt64(word), toByteOffset: 8 * word, as: UInt64.self)
    }
    try writer.commit(claim, EventFields(kind: .projection, payloadByteCount: 8 * Self.wordCount, projection: value))
  }

  private func isWhole(_ event: Event, _ value: UInt64) -> Bool {
    event.header.sequence == value && event.header.projection == value
      && (0..<Self.wordCount).allSatisfy {
        event.payload.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self) == value &* 31 &+ UInt64($0)
      }
  }

  @Test func `a reader that stood still reads everything in order: the ring's events there, the others in the journal`()
    throws
  {
    let topic = try DurableTopic(readers: 2)
    let writer = try TopicWriter(ring: topic.ring, folder: topic.folder.path)
    let (quick, slow) = (try topic.reader(0), try topic.reader(1))
    for value in 0..<100 as Range<UInt64> {
      try append(value, to: writer)
      let event = try #require(try quick.next(timeout: .seconds(30)))
      #expect(isWhole(event, value))
      try quick.release(upTo: value + 1)
    }
    #expect(topic.ring.progress.spilled == 96 && quick.gapsFilled == 96)
    for value in 0..<100 as Range<UInt64> {
      #expect(isWhole(try #require(try slow.next(timeout: .zero)), value))
      try slow.release(upTo: value + 1)
    }
    #expect(try slow.next(timeout: .zero) == nil)
    #expect(slow.gapsFilled == 96)
    // The ring is in use again.
    try append(100, to: writer)
    #expect(isWhole(try #require(try slow.next(timeout: .seconds(30))), 100))
    #expect(slow.gapsFilled == 96)
  }

  @Test func `a follower finds every event, in the ring, on its way to disk or in the journal, and holds nobody up`()
    throws
  {
    let topic = try DurableTopic()
    let writer = try TopicWriter(ring: topic.ring, folder: topic.folder.path), reader = try topic.reader()
    let follower = try TopicFollower(topic.ring, folder: topic.folder.path)
    for value in 0..<40 as Range<UInt64> {
      try append(value, to: writer)
      _ = try #require(try reader.next(timeout: .seconds(30)))
      try reader.release(upTo: value + 1)
      // Now and then it looks at the newest one.
      if value % 7 == 0 { #expect(isWhole(try follower.event(at: value), value)) }
    }
    #expect(follower.published == 40)
    for value in 0..<40 as Range<UInt64> { #expect(isWhole(try follower.event(at: value), value)) }
    #expect(topic.ring.progress.cursors == [40])
  }

  @Test func `rows of an image are read without the others, and damage of the others does not matter`() throws {
    let topic = try DurableTopic()
    let writer = try TopicWriter(ring: topic.ring, folder: topic.folder.path), reader = try topic.reader()
    // 250 rows of 8 columns of 4 bytes: four bands of two pages.
    for value in 0..<20 as Range<UInt64> {
      let claim = try writer.claim(timeout: .seconds(30))
      for row in 0..<250 { claim.payload[32 * row] = UInt8(truncatingIfNeeded: row + Int(value)) }
      try writer.commit(
        claim, EventFields(kind: .projection, payloadByteCount: 8000, rows: 250, columns: 8, pixel: .float32))
      _ = try #require(try reader.next(timeout: .seconds(30)))
      try reader.release(upTo: value + 1)
    }
    func isRow(_ row: Int, of event: Event) -> Bool {
      event.payload[32 * row] == UInt8(truncatingIfNeeded: row + Int(event.header.sequence))
    }
    var tables = [BandTable?](repeating: nil, count: 20)
    for rows in [0..<64, 64..<128, 100..<250] {
      for sequence in 0..<20 {
        let event = try reader.event(at: UInt64(sequence), rows: rows, table: &tables[sequence])
        #expect(rows.allSatisfy { isRow($0, of: event) }, "rows \(rows) of \(sequence)")
      }
    }
    // A byte of the last band of the first record, on disk.
    let name = try #require(try FileManager.default.contentsOfDirectory(atPath: topic.folder.path).min())
    let file = try FileHandle(forUpdating: URL(filePath: topic.folder.file(name)))
    try file.seek(toOffset: 4096 + 4096 + 32 * 240)
    try file.write(contentsOf: [0x55])
    try file.close()
    for table in [tables[0], nil] {
      var table = table
      #expect(isRow(63, of: try reader.event(at: 0, rows: 0..<64, table: &table)))
      #expect(throws: JournalError.self) { try reader.event(at: 0, rows: 200..<250, table: &table) }
    }
    #expect(throws: JournalError.self) { try reader.event(at: 0) }
  }

  @Test func `rows that were damaged in the ring after they were published come from the journal`() throws {
    let topic = try DurableTopic()
    let writer = try TopicWriter(ring: topic.ring, folder: topic.folder.path), reader = try topic.reader()
    let claim = try writer.claim(timeout: .seconds(30))
    for row in 0..<250 { claim.payload[32 * row] = UInt8(truncatingIfNeeded: row) }
    try writer.commit(
      claim, EventFields(kind: .projection, payloadByteCount: 8000, rows: 250, columns: 8, pixel: .float32))
    let event = try #require(try reader.next(timeout: .seconds(30)))
    // Sound: the slot is this process's own mapping; what another process or a bit of memory does to it is done here.
    let row100 = UnsafeMutableRawPointer(mutating: try #require(event.payload.baseAddress)) + 32 * 100
    row100.storeBytes(of: 0x55, as: UInt8.self)
    #expect(try reader.event(at: 0, rows: 0..<64).payload[32 * 63] == 63)
    #expect(reader.gapsFilled == 0)
    #expect(try reader.event(at: 0, rows: 64..<128).payload[32 * 100] == 100)
    #expect(reader.gapsFilled == 1)
    // More rows than the image has: all of it is looked at.
    #expect(try reader.event(at: 0, rows: 240..<260).payload[32 * 100] == 100)
  }

  @Test(arguments: [true, false])
  func `a successor of a reader that died while it gave events back misses none of them, and gives them back`(
    replaying: Bool
  ) throws {
    let topic = try DurableTopic()
    let writer = try TopicWriter(ring: topic.ring, folder: topic.folder.path)
    let predecessor = try RingReader(ring: topic.ring, reader: 0)
    for value in 0..<3 as Range<UInt64> {
      try append(value, to: writer)
      _ = try #require(try predecessor.next(timeout: .seconds(30)))
    }
    // As if it had died between the two: the cursor moves before the lease does.
    try predecessor.hold(from: 1)
    try predecessor.release(upTo: 3)
    let successor = try topic.reader(replaying: replaying)
    for value in (replaying ? 0 : 3)..<20 as Range<UInt64> {
      if value >= 3 { try append(value, to: writer) }
      #expect(isWhole(try #require(try successor.next(timeout: .seconds(30))), value))
      try successor.release(upTo: value + 1)
    }
    // The writer had its four slots again.
    #expect(topic.ring.progress.spilled == 0)
  }

  /// Overwrites the header of an event on disk, in a journal of one segment.
  private func spoil(_ sequence: UInt64, of topic: DurableTopic) throws {
    let segment = try #require(try topic.folder.names().first { $0.hasSuffix(".segment") })
    let file = try FileHandle(forUpdating: URL(filePath: topic.folder.file(segment)))
    try file.seek(toOffset: 4096 + sequence * UInt64(topic.ring.specification.slotStride) + 104)
    try file.write(contentsOf: [0xBA, 0xD0])
    try file.close()
  }

  @Test
  func
    `a reader of headers gets those of spilled events from memory while there, then from the disk, and no payload`()
    throws
  {
    let topic = try DurableTopic()
    let writer = try TopicWriter(ring: topic.ring, folder: topic.folder.path)
    for value in 0..<20 as Range<UInt64> { try append(value, to: writer) }
    try writer.flush()
    let brief = try topic.reader(checks: .payloadInRing)
    for value in 0..<4 as Range<UInt64> { #expect(isWhole(try #require(try brief.next(timeout: .zero)), value)) }
    for value in 4..<20 as Range<UInt64> {
      let event = try #require(try brief.next(timeout: .zero))
      #expect(
        event.header.sequence == value && event.header.projection == value && event.payload.isEmpty
          && event.metadata.isEmpty)
    }
    #expect(topic.ring.progress.spilled == 16 && brief.gapsFilled == 0)
    try spoil(19, of: topic)
    try spoil(5, of: topic)
    #expect(try brief.event(at: 19).header.projection == 19)
    #expect(throws: JournalError.damaged(folder: topic.folder.path, sequence: 5, finding: .torn)) {
      try brief.event(at: 5)
    }
  }

  @Test func `a writer's successor makes durable what was spilled, and goes on densely`() throws {
    let topic = try DurableTopic()
    var first: TopicWriter? = try TopicWriter(ring: topic.ring, folder: topic.folder.path)
    for value in 0..<7 as Range<UInt64> { try append(value, to: #require(first)) }
    first = nil
    let second = try TopicWriter(ring: topic.ring, folder: topic.folder.path)
    #expect(second.nextSequence == 7)
    #expect(try second.lastEvent()?.header.projection == 6)
    try append(7, to: second)
    let reader = try topic.reader()
    for value in 0..<8 as Range<UInt64> {
      #expect(isWhole(try #require(try reader.next(timeout: .seconds(30))), value))
    }
  }

  @Test
  func `an event whose payload was overwritten in the ring is read from the journal by the reader that checks it`()
    throws
  {
    let topic = try DurableTopic()
    let writer = try TopicWriter(ring: topic.ring, folder: topic.folder.path)
    for value in 0..<3 as Range<UInt64> { try append(value, to: writer) }
    try writer.flush()
    let region = try SharedRegion.attach(name: topic.ring.name)
    let slot = 8192 + topic.ring.specification.slotStride
    region.base.storeBytes(of: 0xBAD, toByteOffset: slot + 4096 + 800, as: UInt64.self)
    let reader = try topic.reader(checks: .payload)
    for value in 0..<3 as Range<UInt64> { #expect(isWhole(try #require(try reader.next(timeout: .zero)), value)) }
    #expect(reader.gapsFilled == 1)
  }

  @Test func `an event whose header was overwritten in the ring is read from the journal, bit by bit`() throws {
    let topic = try DurableTopic()
    let writer = try TopicWriter(ring: topic.ring, folder: topic.folder.path)
    for value in 0..<3 as Range<UInt64> { try append(value, to: writer) }
    try writer.flush()
    let region = try SharedRegion.attach(name: topic.ring.name)
    let header = region.base + 8192 + topic.ring.specification.slotStride
    let reader = try topic.reader()
    for bit in 0..<8 * 128 {
      header.storeBytes(
        of: header.load(fromByteOffset: bit / 8, as: UInt8.self) ^ (1 << (bit % 8)), toByteOffset: bit / 8,
        as: UInt8.self)
      #expect(isWhole(try reader.event(at: 1), 1), "bit \(bit)")
      header.storeBytes(
        of: header.load(fromByteOffset: bit / 8, as: UInt8.self) ^ (1 << (bit % 8)), toByteOffset: bit / 8,
        as: UInt8.self)
    }
    #expect(reader.gapsFilled > 8 * 120)
    #expect(isWhole(try reader.event(at: 1), 1))
  }
}
