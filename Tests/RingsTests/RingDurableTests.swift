import Foundation
import Glibc
import Host
import Rings
import Testing

/// A ring whose events are made durable first, and that no reader is required for: observers look at it.
@Suite struct RingDurableTests {
  private func value(_ bytes: UnsafeRawBufferPointer) -> UInt64 { bytes.load(fromByteOffset: 4096, as: UInt64.self) }

  @Test(arguments: [0, 1])
  func `a slot is not used again while its event is on its way to disk`(readers: Int) throws {
    let ring = try TemporaryRing(slotCount: 4, readers: readers)
    let writer = try ring.writer(.whenDurable)
    for event in 0..<4 as Range<UInt64> { #expect(try writer.append(event) == event) }
    let error = #expect(throws: RingError.self) { try writer.claim(timeout: .milliseconds(5)) }
    #expect(error?.isTimeout == true)
    if readers == 0 {
      #expect(error == .diskBehind(ring: ring.name, durable: 0, timeout: .milliseconds(5)))
    }
    for event in 0..<4 as Range<UInt64> { #expect(value(writer.slotBytes(event)) == event) }
    writer.publish(through: 2)
    if readers == 1 { try RingReader(ring: ring.ring, reader: 0).release(upTo: 2) }
    for event in 4..<6 as Range<UInt64> { #expect(try writer.append(event) == event) }
    #expect(throws: RingError.self) { try writer.claim(timeout: .zero) }
    for event in 2..<6 as Range<UInt64> { #expect(value(writer.slotBytes(event)) == event) }
  }

  @Test func `who publishes wakes the writer that waits for the disk`() throws {
    let ring = try TemporaryRing(slotCount: 2, readers: 0)
    // Sound: the other thread only asks what is committed and publishes it.
    nonisolated(unsafe) let writer = try ring.writer(.whenDurable)
    let count: UInt64 = 2000
    let disk = Thread {
      var durable: UInt64 = 0
      let deadline = Deadline(after: .seconds(30))
      while durable < count, !deadline.hasPassed {
        let committed = writer.committedThrough
        if committed > durable { writer.publish(through: committed) } else { usleep(10) }
        durable = committed
      }
    }
    let start = ContinuousClock.now
    disk.start()
    for value in 0..<count { try writer.append(value, timeout: .seconds(30)) }
    // A sleep that nobody ends lasts a tenth of a second: 2000 of them would take minutes.
    #expect(ContinuousClock.now - start < .seconds(20))
  }

  @Test func `a writer that was stopped behind its commit does not take back what its successor committed`() throws {
    let ring = try TemporaryRing()
    let writer = try ring.writer(.whenDurable)
    try writer.append(0)
    let region = try SharedRegion.attach(name: ring.name)
    // As if the successor had committed more before this one says how far it is.
    region.base.storeBytes(of: 5, toByteOffset: 256, as: UInt64.self)
    try writer.append(1)
    #expect(ring.ring.progress.committed == 5)
  }
}
