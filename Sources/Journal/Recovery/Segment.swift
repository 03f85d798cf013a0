internal import Rings

/// A segment's file: a header page, then records at computed offsets.
///
///     ┌──────────────┬─────────────────────┬─────────────────────┬──────
///     │ ControlPage  │ record `first`      │ record `first` + 1  │  …
///     └──────────────┴─────────────────────┴─────────────────────┴──────
///     0            4096              4096 + stride       4096 + 2 · stride
struct Segment {
  let name: String
  let file: JournalFile
  let page: ControlPage
  /// The file's size; another than `page.end` where it was cut.
  let fileByteCount: Int

  var first: UInt64 { page.first }
  var number: UInt64 { page.number }
  /// One past the last record that has room.
  var capacityEnd: UInt64 { page.first + UInt64((Int(page.end) - ControlPage.byteCount) / page.stride) }

  func offset(of sequence: UInt64) -> Int {
    precondition(
      sequence >= first && sequence < capacityEnd, "record \(sequence) in a segment of \(first)..<\(capacityEnd)")
    return ControlPage.byteCount + Int(sequence - first) * page.stride
  }

  /// The bytes of a segment that holds at least two records and is no longer than asked otherwise.
  static func byteCount(_ options: JournalOptions, stride: Int) -> Int {
    precondition(
      stride >= EventHeader.pageByteCount && options.segmentRecordLimit >= 2,
      "segments of \(options.segmentRecordLimit) records of \(stride) B")
    let records = min((options.segmentByteCount - ControlPage.byteCount) / stride, options.segmentRecordLimit)
    return ControlPage.byteCount + max(2, records) * stride
  }

  /// Whether a page that was read is a possible header of a segment of this journal.
  static func isPossible(_ page: ControlPage, identity: RingIdentity, stride: Int, first: UInt64) -> Bool {
    page.kind == .segment && page.identity == identity && page.stride == stride && page.first == first
      && page.durableThrough <= first && page.epoch < TaggedWord.epochLimit
      && page.end >= UInt64(ControlPage.byteCount + 2 * stride) && page.end < 1 << 60
      && (Int(page.end) - ControlPage.byteCount) % stride == 0
      && UInt64((Int(page.end) - ControlPage.byteCount) / stride) < TaggedWord.sequenceLimit - first
  }
}
