import Host

/// What a disk, a file system or a person can do to the journal of projections.
enum DamageKind: String, CaseIterable {
  case segmentHeaderFlipped, segmentHeadersFlipped, segmentHeaderAndFirstRecordFlipped
  case recordHeaderFlipped, recordMetadataFlipped, recordPayloadFlipped, endFlipped, lastRecordsFlipped, bitsFlipped
  case segmentDeleted, lastSegmentDeleted, segmentsDeleted
  case segmentCutToHeader, lastSegmentCutToHeader, segmentCutInside, segmentCutToNothing
  case segmentZeroed, segmentTailZeroed, recordsZeroed, noiseWritten
  case recordCopiedOver, recordsSwapped, segmentsSwapped, segmentCopiedOver, segmentCopiedBeside

  /// Does it to a journal, at places that are drawn. A kind that finds nothing there any more does nothing.
  func apply(to journal: DamagedJournal, using random: inout SplitMix64) throws {
    let names = try journal.segments()
    guard let name = names.randomElement(using: &random), let last = names.last else { return }
    switch self {
    case .segmentHeaderFlipped: try journal.flip(name, at: Int.random(in: 8..<128, using: &random))
    case .segmentHeadersFlipped: for name in names { try journal.flip(name, at: 70) }
    case .segmentHeaderAndFirstRecordFlipped:
      try journal.flip(name, at: 70)
      try journal.flip(name, at: DamagedJournal.headerByteCount + 20)
    case .recordHeaderFlipped, .recordMetadataFlipped, .recordPayloadFlipped, .endFlipped, .lastRecordsFlipped,
      .bitsFlipped:
      try flip(in: journal, using: &random)
    case .segmentDeleted: try journal.remove(name)
    case .lastSegmentDeleted: try journal.remove(last)
    case .segmentsDeleted: for name in names { try journal.remove(name) }
    case .segmentCutToHeader: try journal.cut(name, to: DamagedJournal.headerByteCount)
    case .lastSegmentCutToHeader: try journal.cut(last, to: DamagedJournal.headerByteCount)
    case .segmentCutInside:
      try journal.cut(name, to: Int.random(in: 0..<journal.byteCount(of: name), using: &random))
    case .segmentCutToNothing: try journal.cut(name, to: 0)
    case .segmentZeroed, .segmentTailZeroed, .recordsZeroed, .noiseWritten:
      try overwrite(name, of: journal, using: &random)
    case .recordCopiedOver, .recordsSwapped: try misplaceRecords(of: journal, using: &random)
    case .segmentsSwapped, .segmentCopiedOver, .segmentCopiedBeside:
      guard let other = names.randomElement(using: &random) else { return }
      switch self {
      case .segmentsSwapped: try journal.swap(name, other)
      case .segmentCopiedOver: try journal.copy(name, to: other)
      default: try journal.copy(name, to: journal.freeName(using: &random))
      }
    }
  }

  private func flip(in journal: DamagedJournal, using random: inout SplitMix64) throws {
    let record = Int.random(in: 0..<journal.recordCount, using: &random)
    switch self {
    case .recordHeaderFlipped: try journal.flip(record: record, at: Int.random(in: 8..<128, using: &random))
    case .recordMetadataFlipped: try journal.flip(record: record, at: Int.random(in: 128..<168, using: &random))
    case .recordPayloadFlipped: try journal.flip(record: record, at: 4096 + Int.random(in: 0..<64, using: &random))
    case .endFlipped:
      try journal.flip(record: journal.recordCount - 1, at: Int.random(in: 8..<168, using: &random))
    case .lastRecordsFlipped: for record in record..<journal.recordCount { try journal.flip(record: record, at: 20) }
    default:
      for _ in 0..<20 {
        let record = Int.random(in: 0..<journal.recordCount, using: &random)
        try journal.flip(record: record, at: Int.random(in: 0..<journal.stride, using: &random))
      }
    }
  }

  private func overwrite(_ name: String, of journal: DamagedJournal, using random: inout SplitMix64) throws {
    let whole = 0..<(try journal.byteCount(of: name))
    guard !whole.isEmpty else { return }
    let first = Int.random(in: whole, using: &random)
    switch self {
    case .segmentZeroed: try journal.overwrite(name, whole) { 0 }
    case .segmentTailZeroed: try journal.overwrite(name, first..<whole.upperBound) { 0 }
    case .recordsZeroed:
      try journal.overwrite(name, first..<min(whole.upperBound, first + 5 * journal.stride)) { 0 }
    default:
      let range = first..<min(whole.upperBound, first + Int.random(in: 1...20_000, using: &random))
      try journal.overwrite(name, range) { UInt8.random(in: 0...255, using: &random) }
    }
  }

  private func misplaceRecords(of journal: DamagedJournal, using random: inout SplitMix64) throws {
    let (a, b) = (
      Int.random(in: 0..<journal.recordCount, using: &random), Int.random(in: 0..<journal.recordCount, using: &random)
    )
    guard let (first, second) = try journal.bytes(a, b) else { return }
    try journal.write(first, over: b)
    if self == .recordsSwapped { try journal.write(second, over: a) }
  }
}
