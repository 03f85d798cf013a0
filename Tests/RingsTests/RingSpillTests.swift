import Host
import Rings
import Testing

/// A full ring whose events are on disk does not hold its writer.
@Suite struct RingSpillTests {
  private func value(_ bytes: UnsafeRawBufferPointer) -> UInt64 { bytes.load(fromByteOffset: 4096, as: UInt64.self) }

  @Test func `a reader that stands still does not hold the writer, and finds on disk what the ring had no room for`()
    throws
  {
    let ring = try TemporaryRing(slotCount: 4, readers: 2, whenFull: .spill, spillSlots: 2)
    let writer = try ring.writer(.whenDurable)
    let (quick, slow) = (try RingReader(ring: ring.ring, reader: 0), try RingReader(ring: try ring.attach(), reader: 1))
    for event in 0..<10 as Range<UInt64> {
      #expect(try writer.append(event) == event)
      #expect(value(writer.slotBytes(event)) == event)
      writer.publish(through: event + 1)
      if event < 4 {
        #expect(try quick.next(timeout: .zero)?.value == event)
      } else {
        #expect(throws: RingError.spilled(ring: ring.name, sequence: event)) { try quick.next(timeout: .zero) }
        quick.pass()
      }
      try quick.release(upTo: event + 1)
    }
    #expect(ring.ring.progress.spilled == 6)
    for event in 0..<4 as Range<UInt64> { #expect(try slow.next(timeout: .zero)?.value == event) }
    try slow.release(upTo: 4)
    // The ring has room again, for the slots' turn and not before.
    #expect(try writer.append(10) == 10)
    writer.publish(through: 11)
    for event in 4..<10 as Range<UInt64> {
      #expect(throws: RingError.spilled(ring: ring.name, sequence: event)) { try slow.event(at: event) }
      slow.pass()
    }
    #expect(try slow.next(timeout: .zero)?.value == 10)
    #expect(try quick.next(timeout: .zero)?.value == 10)
    #expect(ring.ring.progress.spilled == 6)
  }

  @Test func `a writer waits where neither a reader nor the disk gives anything back`() throws {
    let ring = try TemporaryRing(slotCount: 2, whenFull: .spill, spillSlots: 2)
    let writer = try ring.writer(.whenDurable)
    for event in 0..<4 as Range<UInt64> { try writer.append(event) }
    let error = #expect(throws: RingError.self) { try writer.claim(timeout: .milliseconds(5)) }
    #expect(error == .diskBehind(ring: ring.name, durable: 0, timeout: .milliseconds(5)) && error?.isTimeout == true)
    writer.publish(through: 2)
    // Events 0 and 1 are durable, and held by the reader; 2 and 3 are on their way to disk.
    #expect(throws: RingError.self) { try writer.claim(timeout: .milliseconds(5)) }
    writer.publish(through: 3)
    #expect(try writer.append(4) == 4)
    #expect(value(writer.slotBytes(3)) == 3 && value(writer.slotBytes(4)) == 4)
  }

  @Test func `while the disk stands still the writer goes on for as many events as there are slots of both kinds`()
    throws
  {
    // Of 300 spill slots 128 are taken first.
    let (spills, count) = (300, 303 as UInt64)
    let ring = try TemporaryRing(slotCount: 3, whenFull: .spill, spillSlots: spills)
    let writer = try ring.writer(.whenDurable)
    for event in 0..<count as Range<UInt64> { #expect(try writer.append(event, timeout: .zero) == event) }
    let error = #expect(throws: RingError.self) { try writer.claim(timeout: .milliseconds(5)) }
    #expect(error?.isTimeout == true && ring.ring.progress.spilled == 300)
    // All of them are there for who writes them to disk, and for a successor.
    for event in 0..<count as Range<UInt64> { #expect(value(writer.slotBytes(event)) == event) }
    let successor = try ring.writer(.whenDurable)
    #expect(successor.nextSequence == count)
    for event in 0..<count as Range<UInt64> { #expect(value(successor.slotBytes(event)) == event) }
    // A sequence has two slots: room is where the event in one of them is durable.
    successor.publish(through: 4)
    #expect(throws: RingError.self) { try successor.claim(timeout: .milliseconds(5)) }
    successor.publish(through: 48)
    #expect(try successor.append(count, timeout: .zero) == count && value(successor.slotBytes(count)) == count)
    #expect(throws: RingError.self) { try successor.claim(timeout: .milliseconds(5)) }
  }

  @Test func `a claim of a spill slot becomes void with its epoch, and what was spilled is there for the successor`()
    throws
  {
    let ring = try TemporaryRing(slotCount: 2, whenFull: .spill, spillSlots: 3)
    let stale = try ring.writer(.whenDurable)
    for event in 0..<4 as Range<UInt64> { try stale.append(event) }
    let claim = try stale.claim(timeout: .zero)
    let epoch = try ring.ring.grantEpoch()
    #expect(try ring.ring.voidClaims(ofEpoch: 1) == 1)
    #expect(throws: RingError.fenced(ring: ring.name, epoch: 1)) { try stale.commit(claim, EventFields(kind: .order)) }
    let writer = try RingWriter(ring: try ring.attach(), epoch: epoch, publishing: .whenDurable)
    #expect(writer.nextSequence == 4)
    for event in 0..<4 as Range<UInt64> { #expect(value(writer.slotBytes(event)) == event) }
    #expect(try writer.append(4) == 4)
    #expect(value(writer.slotBytes(4)) == 4)
    #expect(throws: RingError.fenced(ring: ring.name, epoch: 1)) { try stale.claim(timeout: .zero) }
  }

  @Test func `an observer sees the newest event in a spill slot too`() throws {
    let ring = try TemporaryRing(slotCount: 2, whenFull: .spill, spillSlots: 2)
    let writer = try ring.writer(.whenDurable)
    for event in 0..<3 as Range<UInt64> { try writer.append(event) }
    writer.publish(through: 3)
    #expect(try RingObserver(ring: ring.ring).latest()?.header.projection == 2)
  }

  @Test(arguments: 1...200 as ClosedRange<UInt64>)
  func `whatever readers, disk and successors do, every event is in the ring or was on disk before`(seed: UInt64) throws
  {
    var random = SplitMix64(seed: seed)
    let ring = try TemporaryRing(
      slotCount: Int.random(in: 2...6, using: &random), readers: 2, whenFull: .spill,
      spillSlots: Int.random(in: 2...4, using: &random),
      firstSequence: UInt64.random(in: 0...20, using: &random))
    var writer = try ring.writer(.whenDurable)
    let readers = try (0..<2).map { try RingReader(ring: ring.ring, reader: $0) }
    let first = writer.nextSequence
    var disk: [UInt64: UInt64] = [:]
    var durable = first
    var seen = readers.map { _ in first }
    for _ in 0..<400 {
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<4:
        let next = writer.nextSequence
        do throws(RingError) { try writer.append(next &* 7) } catch {
          #expect(error.isTimeout, "seed \(seed): \(error)")
        }
      case 4..<6 where durable < writer.nextSequence:
        disk[durable] = value(writer.slotBytes(durable))
        durable += 1
        writer.publish(through: durable)
      case 6..<9:
        let index = Int.random(in: 0..<2, using: &random)
        do throws(RingError) {
          guard let event = try readers[index].next(timeout: .zero) else { continue }
          #expect(event.value == seen[index] &* 7 && event.header.sequence == seen[index], "seed \(seed)")
        } catch {
          #expect(error == .spilled(ring: ring.name, sequence: seen[index]), "seed \(seed)")
          #expect(disk[seen[index]] == seen[index] &* 7, "seed \(seed)")
          readers[index].pass()
        }
        seen[index] += 1
        if Bool.random(using: &random) { try readers[index].release(upTo: seen[index]) }
      default:
        if Bool.random(using: &random) { _ = try? writer.claim(timeout: .zero) }
        let epoch = try ring.ring.grantEpoch()
        try ring.ring.voidClaims(ofEpoch: epoch - 1)
        let next = writer.nextSequence
        writer = try RingWriter(ring: ring.ring, epoch: epoch, publishing: .whenDurable)
        #expect(writer.nextSequence == next, "seed \(seed)")
      }
    }
    for sequence in durable..<writer.nextSequence {
      #expect(value(writer.slotBytes(sequence)) == sequence &* 7, "seed \(seed)")
    }
  }
}
