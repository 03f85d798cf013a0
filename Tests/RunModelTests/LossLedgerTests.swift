import Host
import Rings
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

  @Test func `Empty projections are listed by ranges, for a successor too, and flats are counted`() throws {
    var ledger = LossLedger()
    ledger.noteField(.dark, total: 1200)
    ledger.notePublished(.dark, .measured)
    for frame: UInt64 in [7, 3, 5, 4, 8, 20] { ledger.noteEmpty(.projection, frame: frame) }
    ledger.noteEmpty(.flat, frame: 1)
    #expect(ledger.emptyRanges == [3..<6, 7..<9, 20..<21] && ledger.empty == 6 && ledger.emptyFlats == 1)
    ledger.noteEmpty(.projection, frame: 6)
    #expect(ledger.emptyRanges == [3..<9, 20..<21] && ledger.losses.empty == 8)
    #expect(ledger.fieldSums == LossLedger.FieldSums(darks: 1200, flats: 0))
    #expect(ledger.taken(of: .projection) == 7 && ledger.taken(of: .flat) == 1 && ledger.taken(of: .dark) == 1)
    #expect(try copy(ledger) == ledger)
  }

  @Test(arguments: 1...10 as ClosedRange<UInt64>)
  func `Whatever order empty projections come in, the ranges are those of the numbers`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var (ledger, numbers) = (LossLedger(), Set<UInt64>())
    while numbers.count < 60 {
      let frame = random.next() % 90
      if numbers.insert(frame).inserted { ledger.noteEmpty(.projection, frame: frame) }
    }
    #expect(ledger.emptyRanges.count < LossLedger.emptyRangesMax, "seed \(seed)")
    #expect(Set(ledger.emptyRanges.joined()) == numbers && ledger.empty == 60, "seed \(seed)")
    #expect(try copy(ledger) == ledger, "seed \(seed)")
  }

  @Test func `With as many gaps and empty ranges as are listed the ledger has room, and more are counted`() throws {
    var ledger = LossLedger()
    for frame in stride(from: UInt64(1), to: 1001, by: 2) {
      _ = ledger.note(frame: frame)
      ledger.noteEmpty(.projection, frame: frame)
    }
    #expect(ledger.empty == 500 && ledger.emptyRanges.count == LossLedger.emptyRangesMax)
    #expect(ledger.emptyRanges.first == 1..<2)
    #expect(try copy(ledger) == ledger)
  }

  @Test func `Empty ranges that contradict themselves are refused`() throws {
    var ledger = LossLedger()
    for frame: UInt64 in [3, 9] { ledger.noteEmpty(.projection, frame: frame) }
    let metadata = UnsafeMutableRawBufferPointer.allocate(byteCount: 3968, alignment: 8)
    defer { metadata.deallocate() }
    let count = ledger.encode(frame: 4, timestamp: nil, into: metadata)
    let bytes = UnsafeRawBufferPointer(rebasing: metadata[..<count])
    // Sums that are no numbers, fewer than are listed, none in a range, ranges that meet, more ranges than there are.
    for (offset, value) in [
      (152, Double.nan.bitPattern), (168, 1), (192, 0), (200, 4), (200, 1), (168, 1 << 50), (72, 40 << 32),
    ] as [(Int, UInt64)] {
      let before = metadata.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      metadata.storeBytes(of: value, toByteOffset: offset, as: UInt64.self)
      #expect(throws: EventError.self, "\(offset)") { try LossLedger(decoding: bytes) }
      metadata.storeBytes(of: before, toByteOffset: offset, as: UInt64.self)
    }
    #expect(try LossLedger(decoding: bytes) == ledger)
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
