internal import Rings

/// A segment's page and records as they lie in its file, a stripe at a time, each record checked, from whichever copy
/// has it whole.
struct SegmentContent {
  let entry: SegmentEntry
  let range: Range<UInt64>
  let rewriting: SegmentRewriting
  /// Records that were given up: zeros are in their place.
  let given: [Range<UInt64>]
  /// What `next` fills.
  let stripe: AlignedMemory
  private let record: AlignedMemory
  /// The record, or the page, that is in memory, and how much of it was taken.
  private var (filled, taken): (Int, Int)
  private var next: UInt64
  private var chain: UInt64?

  init(
    _ entry: SegmentEntry, _ range: Range<UInt64>, _ rewriting: SegmentRewriting, given: [Range<UInt64>],
    stripe byteCount: Int
  ) {
    (self.entry, self.range, self.rewriting, self.given) = (entry, range, rewriting, given)
    stripe = AlignedMemory(byteCount: byteCount)
    record = AlignedMemory(byteCount: rewriting.stride)
    entry.page.encode(into: UnsafeMutableRawBufferPointer(rebasing: record.bytes[..<ControlPage.byteCount]))
    (filled, taken, next) = (ControlPage.byteCount, 0, range.lowerBound)
    chain = range.lowerBound == entry.first ? entry.page.chain : nil
  }

  /// Fills the stripe; returns how much of it is content, the rest is zeros. Throws `.damaged` for a record that no
  /// copy has.
  mutating func fillStripe() throws(JournalError) -> Int {
    var done = 0
    while done < stripe.bytes.count {
      if taken == filled {
        guard next < range.upperBound else { break }
        try readRecord()
      }
      let count = min(filled - taken, stripe.bytes.count - done)
      UnsafeMutableRawBufferPointer(rebasing: stripe.bytes[done..<done + count]).copyMemory(
        from: UnsafeRawBufferPointer(rebasing: record.bytes[taken..<taken + count]))
      (done, taken) = (done + count, taken + count)
    }
    UnsafeMutableRawBufferPointer(rebasing: stripe.bytes[done...]).initializeMemory(as: UInt8.self, repeating: 0)
    return done
  }

  private mutating func readRecord() throws(JournalError) {
    let header: EventHeader? = try rewriting.fill(record, with: next, of: entry, chain)
    chain = header?.chainAfter
    if let header {
      // Behind its payload a slot is zeros, whatever the disk has there.
      let used = EventHeader.pageByteCount + (header.payloadByteCount + 4095) / 4096 * 4096
      UnsafeMutableRawBufferPointer(rebasing: record.bytes[used...]).initializeMemory(as: UInt8.self, repeating: 0)
    } else {
      guard given.contains(where: { $0.contains(next) }) else {
        throw try damage(of: next)
      }
      record.bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }
    (filled, taken, next) = (record.bytes.count, 0, next + 1)
  }

  /// What is wrong with a record that no copy has, in the copy that is believed first.
  private func damage(of sequence: UInt64) throws(JournalError) -> JournalError {
    let copy = rewriting.sources[0].copy, start = RecordSource.Predecessor(chain: nil, epoch: 0)
    let verdict = try copy.verdict(entry, sequence, after: start, withPayload: true)
    let finding = if case .bad(let finding) = verdict { finding } else { RecordFinding.torn }
    return .damaged(folder: copy.device.folder, sequence: sequence, finding: finding)
  }
}
