import Rings
import Testing

/// Readers that are taken out of a ring and come back.
@Suite struct RingRetirementTests {
  @Test func `a reader that was retired holds nobody, and another one still does`() throws {
    let ring = try TemporaryRing(slotCount: 4, readers: 2)
    let (writer, well) = (try ring.writer(), try RingReader(ring: ring.ring, reader: 0))
    let dead = try RingReader(ring: ring.ring, reader: 1)
    for value in 0..<4 { try writer.append(UInt64(value)) }
    try well.release(upTo: 4)
    #expect(throws: RingError.timedOut(ring: ring.name, reader: 1, holding: 0, timeout: .zero)) {
      try writer.append(4)
    }
    try ring.ring.retire(reader: 1)
    try ring.ring.retire(reader: 1)
    #expect(ring.ring.cursor(ofReader: 1) == nil)
    for value in 4..<8 { try writer.append(UInt64(value)) }
    #expect(throws: RingError.timedOut(ring: ring.name, reader: 0, holding: 4, timeout: .zero)) {
      try writer.append(8)
    }
    #expect(throws: RingError.fenced(ring: ring.name, epoch: 1)) { try dead.release(upTo: 1) }
    #expect(throws: RingError.refused(ring: ring.name, reason: "reader 1 has finished")) {
      try RingReader(ring: ring.ring, reader: 1)
    }
  }

  @Test(arguments: [WhenFull.wait, .spill])
  func `without a reader what is not on disk stays all the same`(whenFull: WhenFull) throws {
    let spillSlots = whenFull == .spill ? 4 : 0
    let ring = try TemporaryRing(slotCount: 4, whenFull: whenFull, spillSlots: spillSlots)
    let writer = try ring.writer(.whenDurable)
    try ring.ring.retire(reader: 0)
    for value in 0..<4 + spillSlots { try writer.append(UInt64(value)) }
    #expect(throws: RingError.diskBehind(ring: ring.name, durable: 0, timeout: .zero)) { try writer.append(99) }
    writer.publish(through: 4)
    for value in 0..<4 { try writer.append(UInt64(value)) }
  }

  @Test func `a reader that comes back reads elsewhere what was published meanwhile`() throws {
    let ring = try TemporaryRing(slotCount: 4)
    let writer = try ring.writer()
    try writer.append(0)
    try ring.ring.retire(reader: 0)
    for value in 1..<10 { try writer.append(UInt64(value)) }
    try ring.ring.readmit(reader: 0, keepingAll: false)
    let reader = try RingReader(ring: ring.ring, reader: 0)
    #expect((reader.lease, reader.cursor, reader.position) == (10, 10, 10))
    #expect(throws: RingError.gap(ring: ring.name, expected: 9, found: 10)) { try reader.event(at: 9) }
    try writer.append(10)
    #expect(try reader.next(timeout: .zero)?.value == 10)
  }

  @Test func `in a ring that holds everything a reader that comes back finds everything`() throws {
    let ring = try TemporaryRing(slotCount: 16)
    let writer = try ring.writer()
    for value in 0..<3 { try writer.append(UInt64(value)) }
    let dead = try RingReader(ring: ring.ring, reader: 0)
    try dead.hold(from: 0)
    try dead.release(upTo: 2)
    try ring.ring.retire(reader: 0)
    for value in 3..<6 { try writer.append(UInt64(value)) }
    try ring.ring.readmit(reader: 0, keepingAll: true)
    let reader = try RingReader(ring: ring.ring, reader: 0, from: 0)
    #expect(reader.cursor == 2)
    for value in 0..<6 { #expect(try reader.next(timeout: .zero)?.value == UInt64(value)) }
  }

  @Test func `a reader that was not retired is not awaited again`() throws {
    let ring = try TemporaryRing()
    #expect(throws: RingError.refused(ring: ring.name, reason: "reader 0 was not retired")) {
      try ring.ring.readmit(reader: 0, keepingAll: false)
    }
    #expect(throws: RingError.self) { try ring.ring.retire(reader: 1) }
  }
}
