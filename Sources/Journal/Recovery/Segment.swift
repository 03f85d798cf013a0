internal import Rings

/// What is known of a segment: a header page, then records at computed offsets. Its file is opened when it is read.
///
///     ┌──────────────┬─────────────────────┬─────────────────────┬──────
///     │ ControlPage  │ record `first`      │ record `first` + 1  │  …
///     └──────────────┴─────────────────────┴─────────────────────┴──────
///     0            4096              4096 + stride       4096 + 2 · stride
struct SegmentEntry {
  let name: String
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

}

/// A segment whose file is open: where records are written.
struct Segment {
  let entry: SegmentEntry
  let file: JournalFile

  init(_ entry: SegmentEntry, file: JournalFile) { (self.entry, self.file) = (entry, file) }

  /// A segment that was just made.
  init(name: String, file: JournalFile, page: ControlPage, fileByteCount: Int) {
    self.init(SegmentEntry(name: name, page: page, fileByteCount: fileByteCount), file: file)
  }

  var name: String { entry.name }
  var first: UInt64 { entry.first }
  var number: UInt64 { entry.number }
  /// One past the last record that has room.
  var capacityEnd: UInt64 { entry.capacityEnd }

  func offset(of sequence: UInt64) -> Int { entry.offset(of: sequence) }

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
