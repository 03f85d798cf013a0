import Glibc
import Host
import Rings
import Testing

@Suite struct RingFencingTests {
  @Test func `a stale writer's commit is refused`() throws {
    let ring = try TemporaryRing()
    let stale = try ring.writer()
    try stale.append(0)
    let claim = try stale.claim(timeout: .zero)
    let epoch = try ring.ring.grantEpoch()
    #expect(try ring.ring.voidClaims(ofEpoch: 1) == 1)
    let writer = try RingWriter(ring: try ring.attach(), epoch: epoch)
    #expect(throws: RingError.fenced(ring: ring.name, epoch: 1)) { try stale.commit(claim, EventFields(kind: .order)) }
    #expect(try writer.append(1) == 1)
    #expect(throws: RingError.fenced(ring: ring.name, epoch: 1)) { try stale.append(9) }
    let reader = try RingReader(ring: ring.ring, reader: 0)
    #expect(try reader.next(timeout: .zero)?.value == 0)
    let event = try #require(try reader.next(timeout: .zero))
    #expect(event.value == 1 && event.header.epoch == 2 && event.header.sequence == 1)
  }

  @Test func `a commit after a lap of the ring is refused, and the slot's new event stays`() throws {
    let ring = try TemporaryRing(slotCount: 4)
    let stale = try ring.writer()
    let claim = try stale.claim(timeout: .zero)
    let epoch = try ring.ring.grantEpoch()
    try ring.ring.voidClaims(ofEpoch: 1)
    let writer = try RingWriter(ring: ring.ring, epoch: epoch)
    let reader = try RingReader(ring: ring.ring, reader: 0)
    for value in 0..<4 as Range<UInt64> {
      try writer.append(value)
      #expect(try reader.next(timeout: .zero)?.value == value)
      try reader.release(upTo: value + 1)
    }
    // The same slot again, claimed by the living writer.
    let fresh = try writer.claim(timeout: .zero)
    #expect(fresh.payload.baseAddress == claim.payload.baseAddress)
    #expect(throws: RingError.fenced(ring: ring.name, epoch: 1)) {
      try stale.commit(claim, EventFields(kind: .command, projection: 666))
    }
    #expect(try reader.next(timeout: .zero) == nil)
    #expect(try writer.append(4) == 4)
    #expect(try reader.next(timeout: .zero)?.value == 4)
  }

  @Test func `a writer that was stopped before its claim cannot claim after the fence`() throws {
    let ring = try TemporaryRing(slotCount: 2)
    let stale = try ring.writer()
    let epoch = try ring.ring.grantEpoch()
    #expect(throws: RingError.fenced(ring: ring.name, epoch: 1)) { try stale.claim(timeout: .zero) }
    #expect(try ring.ring.voidClaims(ofEpoch: 1) == 0)
    #expect(throws: RingError.fenced(ring: ring.name, epoch: 1)) { try stale.claim(timeout: .zero) }
    #expect(throws: RingError.fenced(ring: ring.name, epoch: 1)) { try RingWriter(ring: ring.ring, epoch: 1) }
    #expect(try RingWriter(ring: ring.ring, epoch: epoch).append(0) == 0)
  }

  @Test func `a writer does not start before its predecessor is fenced`() throws {
    let ring = try TemporaryRing()
    let stale = try ring.writer()
    _ = try stale.claim(timeout: .zero)
    let epoch = try ring.ring.grantEpoch()
    #expect(
      throws: RingError.refused(ring: ring.name, reason: "event 0 is still claimed by epoch 1, which was not fenced")
    ) {
      try RingWriter(ring: ring.ring, epoch: epoch)
    }
    #expect(throws: RingError.self) { try ring.ring.voidClaims(ofEpoch: epoch) }
  }

  @Test func `an event that was committed and not published any more is published by the next writer`() throws {
    let ring = try TemporaryRing()
    let first = try ring.writer()
    for value in 0..<3 as Range<UInt64> { try first.append(value) }
    let region = try SharedRegion.attach(name: ring.name)
    region.base.storeBytes(of: 1, toByteOffset: 128, as: UInt64.self)
    let reader = try RingReader(ring: ring.ring, reader: 0)
    let second = try ring.writer()
    #expect(second.nextSequence == 3)
    for value in 0..<3 as Range<UInt64> { #expect(try reader.next(timeout: .zero)?.value == value) }
  }

  @Test func `a process that is fenced while stopped in its claim cannot commit when it continues`() throws {
    let ring = try TemporaryRing()
    let stopped = try Exerciser("stall", ring, ["epoch": try ring.ring.grantEpoch()])
    #expect(try stopped.line() == "claimed\n")
    let epoch = try ring.ring.grantEpoch()
    #expect(try ring.ring.voidClaims(ofEpoch: 1) == 1)
    let writer = try RingWriter(ring: ring.ring, epoch: epoch)
    try writer.append(0)
    try stopped.process.signal(SIGCONT)
    // 70 is the exit code of `fenced`. The process may be stopping just now, so it is continued until it ends.
    var status: Host.ExitStatus?
    for _ in 0..<100 where status == nil {
      try stopped.process.signal(SIGCONT)
      status = try stopped.process.waitForExit(timeout: .milliseconds(100))
    }
    #expect(status == .exited(70))
    let reader = try RingReader(ring: ring.ring, reader: 0)
    #expect(try reader.next(timeout: .zero)?.value == 0)
    #expect(try reader.next(timeout: .zero) == nil)
  }

  @Test func `the claim of a killed process becomes void and the next epoch goes on densely`() throws {
    let ring = try TemporaryRing()
    let reader = try RingReader(ring: ring.ring, reader: 0)
    for round in 0..<10 as Range<UInt64> {
      let epoch = try ring.ring.grantEpoch()
      let victim = try Exerciser("stall", ring, ["epoch": epoch])
      #expect(try victim.line() == "claimed\n")
      try victim.process.signal(SIGKILL)
      #expect(try victim.process.waitForExit(timeout: .seconds(10)) == .killed(signal: SIGKILL))
      let next = try ring.ring.grantEpoch()
      #expect(try ring.ring.voidClaims(ofEpoch: epoch) == 1)
      #expect(try RingWriter(ring: ring.ring, epoch: next).append(round) == round)
      #expect(try reader.next(timeout: .zero)?.value == round)
      try reader.release(upTo: round + 1)
    }
  }
}
