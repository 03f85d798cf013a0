import Host
import RunModel
import Testing

/// Which frames came, which did not, and what a successor knows of it.
@Suite struct LossLedgerTests {
  private func copy(_ ledger: LossLedger) throws -> LossLedger {
    let metadata = UnsafeMutableRawBufferPointer.allocate(byteCount: 3968, alignment: 8)
    defer { metadata.deallocate() }
    let count = ledger.encode(frame: 7, timestamp: nil, into: metadata)
    return try LossLedger(decoding: UnsafeRawBufferPointer(rebasing: metadata[..<count]))
  }

  @Test func `Gaps, late frames and duplicates are told apart, for a successor too`() throws {
    var ledger = LossLedger()
    #expect(ledger.note(frame: 0) == .new(gap: 0..<0))
    #expect(ledger.note(frame: 5) == .new(gap: 1..<5))
    #expect(ledger.note(frame: 3) == .late)
    #expect(ledger.gaps == [1..<3, 4..<5] && ledger.lost == 3)
    ledger = try copy(ledger)
    #expect(ledger.note(frame: 3) == .duplicate && ledger.note(frame: 0) == .duplicate)
    #expect(ledger.note(frame: 1) == .late && ledger.note(frame: 6) == .new(gap: 6..<6))
    #expect(ledger.lost == 2 && ledger.duplicates == 2 && ledger.late == 2)
    ledger.pass(to: 10)
    #expect(ledger.gaps == [2..<3, 4..<5, 7..<10] && ledger.next == 10)
    #expect(try copy(ledger) == ledger)
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func `Whatever order frames come in, what is lost is exactly what did not come`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var (ledger, seen) = (LossLedger(), Set<UInt64>())
    for step in 0..<400 {
      let frame = UInt64(step) / 2 + random.next() % 16
      let arrival = ledger.note(frame: frame)
      #expect(seen.insert(frame).inserted == (arrival != .duplicate), "seed \(seed)")
      if step % 50 == 0 { ledger = try copy(ledger) }
    }
    #expect(Set(ledger.gaps.joined()) == Set(0..<ledger.next).subtracting(seen), "seed \(seed)")
    #expect(ledger.lost == Int(ledger.next) - seen.count, "seed \(seed)")
  }

  @Test func `Of more gaps than are listed the number of lost frames stays right`() throws {
    var ledger = LossLedger()
    for frame in stride(from: UInt64(1), to: 1001, by: 2) { _ = ledger.note(frame: frame) }
    #expect(ledger.lost == 500 && ledger.gaps.count == LossLedger.gapsMax && ledger.unlisted == 300)
    #expect(ledger.note(frame: 0) == .duplicate)
    #expect(try copy(ledger) == ledger)
  }

  @Test func `A ledger that contradicts itself is refused`() throws {
    var ledger = LossLedger()
    _ = ledger.note(frame: 4)
    let metadata = UnsafeMutableRawBufferPointer.allocate(byteCount: 3968, alignment: 8)
    defer { metadata.deallocate() }
    let count = ledger.encode(frame: 4, timestamp: 1.5, into: metadata)
    for (offset, value) in [(8, 1), (72, 2), (72, 0), (72, 1 << 30), (152, 2), (160, 0), (160, 1 << 50)]
      as [(Int, UInt64)]
    {
      let before = metadata.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      metadata.storeBytes(of: value, toByteOffset: offset, as: UInt64.self)
      #expect(throws: EventError.self, "\(offset)") {
        try LossLedger(decoding: UnsafeRawBufferPointer(rebasing: metadata[..<count]))
      }
      metadata.storeBytes(of: before, toByteOffset: offset, as: UInt64.self)
    }
  }
}
