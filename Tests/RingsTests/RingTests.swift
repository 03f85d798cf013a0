import Foundation
import Glibc
import Host
import Rings
import Testing

@Suite struct RingTests {
  @Test func `an event arrives as it was written`() throws {
    let ring = try TemporaryRing()
    let writer = try ring.writer()
    let claim = try writer.claim(timeout: .zero)
    claim.payload.copyBytes(from: Array(0..<24 as Range<UInt8>))
    claim.metadata.copyBytes(from: [7, 8, 9] as [UInt8])
    try writer.commit(
      claim,
      EventFields(
        kind: .flat, acquiredAt: 1234, payloadByteCount: 24, metadataByteCount: 3, theta: 0.5, projection: 77, rows: 3,
        columns: 4,
        pixel: .uint16))
    let reader = try RingReader(ring: try ring.attach(), reader: 0)
    let event = try #require(try reader.next(timeout: .zero))
    try reader.verifyPayload(event)
    #expect(Array(event.payload) == Array(0..<24) && Array(event.metadata) == [7, 8, 9])
    let header = event.header
    #expect(header.kind == .flat && header.acquiredAt == 1234 && header.theta == 0.5 && header.projection == 77)
    #expect(header.rows == 3 && header.columns == 4 && header.pixel == .uint16)
    #expect(header.identity == ring.identity && header.sequence == 0 && header.epoch == 1 && header.chain == 0)
    #expect(try reader.next(timeout: .zero) == nil)
  }

  @Test func `events are whole over many laps`() throws {
    let ring = try TemporaryRing(slotCount: 3)
    let writer = try ring.writer()
    let reader = try RingReader(ring: try ring.attach(), reader: 0)
    var chain: UInt64 = 0
    for value in 0..<100 as Range<UInt64> {
      try writer.append(value)
      let event = try #require(try reader.next(timeout: .zero))
      #expect(event.value == value && event.header.sequence == value && event.header.chain == chain)
      chain = event.header.chainAfter
      try reader.release(upTo: value + 1)
    }
  }

  @Test func `a writer waits for a reader that has not attached yet, and names it`() throws {
    let ring = try TemporaryRing(slotCount: 2, readers: 2)
    let writer = try ring.writer()
    let reader = try RingReader(ring: ring.ring, reader: 0)
    for value in 0..<2 as Range<UInt64> { try writer.append(value) }
    _ = try reader.next(timeout: .zero)
    _ = try reader.next(timeout: .zero)
    try reader.release(upTo: 2)
    #expect(throws: RingError.timedOut(ring: ring.name, reader: 1, holding: 0, timeout: .milliseconds(20))) {
      try writer.append(2, timeout: .milliseconds(20))
    }
    let late = try RingReader(ring: ring.ring, reader: 1)
    #expect(try late.next(timeout: .zero)?.value == 0)
    try late.release(upTo: 1)
    #expect(try writer.append(2) == 2)
  }

  @Test func `a full ring that may drop does so at once and counts`() throws {
    let ring = try TemporaryRing(slotCount: 2, whenFull: .drop)
    let writer = try ring.writer()
    for value in 0..<2 as Range<UInt64> { try writer.append(value) }
    for total in 1...3 as ClosedRange<UInt64> {
      #expect(throws: RingError.dropped(ring: ring.name, total: total)) { try writer.append(9, timeout: .seconds(60)) }
    }
    let reader = try RingReader(ring: ring.ring, reader: 0)
    _ = try reader.next(timeout: .zero)
    try reader.release(upTo: 1)
    #expect(try writer.append(2) == 2)
    #expect(ring.ring.progress.dropped == 3)
  }

  @Test func `a claim that was not committed is given out again`() throws {
    let ring = try TemporaryRing()
    let writer = try ring.writer()
    _ = try writer.claim(timeout: .zero)
    #expect(try writer.append(5) == 0)
  }

  @Test func `a reader's successor goes on at its cursor and the reader is refused`() throws {
    let ring = try TemporaryRing()
    let writer = try ring.writer()
    for value in 0..<4 as Range<UInt64> { try writer.append(value) }
    let first = try RingReader(ring: ring.ring, reader: 0)
    for _ in 0..<3 { _ = try first.next(timeout: .zero) }
    try first.release(upTo: 2)
    let second = try RingReader(ring: try ring.attach(), reader: 0)
    #expect(throws: RingError.fenced(ring: ring.name, epoch: 1)) { try first.next(timeout: .zero) }
    #expect(throws: RingError.fenced(ring: ring.name, epoch: 1)) { try first.release(upTo: 3) }
    #expect(try second.next(timeout: .zero)?.value == 2)
    #expect(ring.ring.progress.cursors == [2])
  }

  @Test func `what a reader holds stays readable after the cursor, also for its successor`() throws {
    let ring = try TemporaryRing(slotCount: 4)
    let writer = try ring.writer()
    for value in 0..<4 as Range<UInt64> { try writer.append(value) }
    let reader = try RingReader(ring: ring.ring, reader: 0)
    for _ in 0..<4 { _ = try reader.next(timeout: .zero) }
    try reader.hold(from: 1)
    try reader.release(upTo: 4)
    #expect(try writer.append(4) == 4)
    #expect(throws: RingError.self) { try writer.append(5) }
    #expect(throws: RingError.gap(ring: ring.name, expected: 0, found: 1)) { try reader.event(at: 0) }
    #expect(throws: RingError.notPublished(ring: ring.name, sequence: 5)) { try reader.event(at: 5) }
    let successor = try RingReader(ring: ring.ring, reader: 0)
    #expect(successor.lease == 1 && successor.cursor == 4)
    #expect(try successor.event(at: 1).value == 1)
    try successor.hold(from: 3)
    #expect(throws: RingError.gap(ring: ring.name, expected: 1, found: 3)) { try successor.hold(from: 1) }
    #expect(try writer.append(5) == 5)
    try successor.hold(from: nil)
    #expect(successor.lease == 4)
  }

  @Test func `a successor may give back what only its predecessor has read, and nothing that is not published`()
    async throws
  {
    let ring = try TemporaryRing()
    let writer = try ring.writer()
    for value in 0..<3 as Range<UInt64> { try writer.append(value) }
    let first = try RingReader(ring: ring.ring, reader: 0)
    for _ in 0..<3 { _ = try first.next(timeout: .zero) }
    try first.release(upTo: 2)
    let second = try RingReader(ring: ring.ring, reader: 0)
    try second.release(upTo: 3)
    #expect(second.cursor == 3)
    await #expect(processExitsWith: .signal(SIGILL)) {
      let ring = try TemporaryRing()
      // The name must go before the process does.
      let reader = try RingReader(ring: try ring.attach(), reader: 0)
      shm_unlink("/" + ring.name)
      try reader.release(upTo: 1)
    }
  }

  @Test func `a reader that knows it applied less reads again, and its duplicates are dropped`() throws {
    let ring = try TemporaryRing()
    let writer = try ring.writer()
    for value in 0..<4 as Range<UInt64> { try writer.append(value) }
    let first = try RingReader(ring: ring.ring, reader: 0)
    for _ in 0..<3 { _ = try first.next(timeout: .zero) }
    try first.hold(from: 1)
    try first.release(upTo: 3)
    #expect(throws: RingError.gap(ring: ring.name, expected: 0, found: 1)) {
      try RingReader(ring: ring.ring, reader: 0, from: 0)
    }
    #expect(throws: RingError.notPublished(ring: ring.name, sequence: 4)) {
      try RingReader(ring: ring.ring, reader: 0, from: 4)
    }
    let second = try RingReader(ring: ring.ring, reader: 0, from: 1)
    var values: [UInt64] = []
    while let event = try second.next(timeout: .zero), let value = event.value {
      values.append(value)
      try second.release(upTo: event.header.sequence + 1)
    }
    #expect(values == [1, 2, 3] && second.duplicates == 2 && second.cursor == 4)
  }

  @Test func `a reader that the ring has no line for is refused`() throws {
    let ring = try TemporaryRing(slotCount: 2, readers: 1)
    #expect(throws: RingError.self) { try RingReader(ring: ring.ring, reader: 1) }
  }

  @Test func `an observer sees the newest event and never holds the writer`() throws {
    let ring = try TemporaryRing(slotCount: 2, readers: 0)
    let writer = try ring.writer()
    let observer = RingObserver(ring: try ring.attach())
    #expect(try observer.latest() == nil)
    for value in 0..<9 as Range<UInt64> {
      try writer.append(value)
      let (header, metadata) = try #require(try observer.latest())
      #expect(header.sequence == value && metadata.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) } == ~value)
    }
  }

  @Test func `a ring goes on where an earlier one of its topic ended`() throws {
    let ring = try TemporaryRing(slotCount: 3, firstSequence: 1000)
    let writer = try ring.writer()
    let reader = try RingReader(ring: ring.ring, reader: 0)
    #expect(try RingObserver(ring: ring.ring).latest() == nil)
    for value in 1000..<1003 as Range<UInt64> { #expect(try writer.append(value) == value) }
    #expect(throws: RingError.self) { try writer.append(1003) }
    #expect(try reader.next(timeout: .zero)?.value == 1000)
    try reader.release(upTo: 1001)
    #expect(try writer.append(1003) == 1003)
  }

  @Test func `sleepers are woken, not polled`() throws {
    let ring = try TemporaryRing(slotCount: 2)
    let writer = try ring.writer()
    let count: UInt64 = 2000
    let name = ring.name
    let identity = ring.identity
    let thread = Thread {
      do {
        let reader = try RingReader(ring: try Ring.attach(name: name, expecting: identity), reader: 0)
        while reader.cursor < count, let event = try reader.next(timeout: .seconds(30)) {
          try reader.release(upTo: event.header.sequence + 1)
        }
      } catch {
        Issue.record(error)
      }
    }
    let start = ContinuousClock.now
    thread.start()
    for value in 0..<count { try writer.append(value, timeout: .seconds(30)) }
    // A sleep that nobody ends lasts a tenth of a second: 2000 round trips would take minutes.
    #expect(ContinuousClock.now - start < .seconds(20))
  }
}
