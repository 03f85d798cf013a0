import Journal
import Rings
import Testing

private let stride = 8192
private let recordCount = EventKind.allCases.count
/// What each record has more than the one before, so that the last one fits.
private let payloadStep = 4096 / recordCount
private let segmentName = "00000000000000000000.segment"

/// A disk with one segment of records, one of each kind, and what its file holds.
private struct Recorded {
  let disk = SimulatedDisk()
  let bytes: [UInt8]

  /// With `states` each record says that every one before it is durable.
  init(states: Bool = false) throws {
    let device = SimulatedDevice(disk: disk)
    let writer = try JournalWriter(
      device: device, identity: testIdentity, stride: stride, epoch: 1,
      options: smallOptions(stride: stride, records: recordCount + 3))
    let producer = Producer(after: writer)
    for (index, kind) in EventKind.allCases.enumerated() {
      try writer.append(
        producer.next(kind: kind, payload: index * payloadStep, durableThrough: states ? UInt64(index) : 0))
    }
    try writer.close()
    bytes = try #require(disk.bytes(of: segmentName))
  }

  func verify(floor: UInt64 = 0) throws(JournalError) -> RecoveryReport {
    try verifyJournal(device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride, durableFloor: floor)
  }

  /// The bytes that say something: of the page its 128, of a record its header without the stamp, metadata and payload.
  static func meaningful(_ record: Int) -> [Range<Int>] {
    let start = 4096 + record * stride
    return [start + 8..<start + 128 + 24, start + 4096..<start + 4096 + record * payloadStep]
  }

  /// The first record of which a byte was cut off at `length`, nil if there is none.
  func firstCut(_ length: Int) -> Int? {
    (0..<recordCount).first { record in
      Self.meaningful(record).contains { range in bytes[range].indices.contains { $0 >= length && bytes[$0] != 0 } }
    }
  }
}

@Suite struct TornWriteTests {
  /// Beyond the cut are zeros, as where a preallocated segment was not written. What is expected follows from where the
  /// cut is.
  @Test(arguments: [0, 5, 9] as [UInt64]) func `a journal cut at any byte is judged right`(_ floor: UInt64) throws {
    let recorded = try Recorded()
    for length in Swift.stride(from: 4096 + recordCount * stride, through: 0, by: -1) {
      recorded.disk.overwrite(segmentName) { if length < $0.count { $0[length] = 0 } }
      try check(recorded, length, floor)
    }
  }

  @Test func `a file that ends at any byte is judged like one that is zeros from there`() throws {
    let recorded = try Recorded()
    for length in Swift.stride(from: 4096 + recordCount * stride, through: 0, by: -7) {
      recorded.disk.overwrite(segmentName) { $0.removeSubrange(min(length, $0.count)...) }
      try check(recorded, length, 0)
    }
  }

  private func check(_ recorded: Recorded, _ length: Int, _ floor: UInt64) throws {
    let report = try recorded.verify(floor: floor)
    // A header page that was cut takes everything with it: no record is left either.
    let next = recorded.firstCut(length) ?? recordCount
    let slot = 4096 + next * stride
    let left =
      next < recordCount && length > slot && recorded.bytes[slot..<min(length, slot + stride)].contains { $0 != 0 }
    if next < floor {
      let damage = report.damages.first
      #expect(
        report.damages.count == 1 && damage?.lowerBound == UInt64(next) && damage?.upperBound == floor,
        "cut at \(length): \(report)")
      try #require(report.decision == .corruption)
    } else {
      let decision: RecoveryDecision = left ? .tornTail : .cleanEnd
      try #require(
        report.decision == decision && report.nextSequence == UInt64(next) && report.isIntact,
        "cut at \(length): \(report)")
    }
  }
}

@Suite struct BitFlipTests {
  @Test func `every bit of every header and one of each other byte is missed when it is flipped`() throws {
    for states in [false, true] {
      let recorded = try Recorded(states: states)
      for record in 0..<recordCount {
        let start = 4096 + record * stride
        for (number, range) in Recorded.meaningful(record).enumerated() {
          for offset in range {
            let bits = number == 0 && offset < start + 128 ? Array(0..<8) : [offset % 8]
            for bit in bits { try check(recorded, record, offset, bit, states) }
          }
        }
      }
    }
  }

  /// Nine records are there. The last is unacknowledged; the others are as far as it says so.
  private func check(_ recorded: Recorded, _ record: Int, _ offset: Int, _ bit: Int, _ states: Bool) throws {
    recorded.disk.overwrite(segmentName) { $0[offset] ^= 1 << bit }
    defer { recorded.disk.overwrite(segmentName) { $0[offset] ^= 1 << bit } }
    let report = try recorded.verify()
    let isLast = record == recordCount - 1
    if states, !isLast {
      let damage = report.damages.first
      try #require(
        report.damages.count == 1 && damage?.lowerBound == UInt64(record) && damage?.upperBound == UInt64(record + 1)
          && report.nextSequence == UInt64(recordCount), "byte \(offset), bit \(bit): \(report)")
    } else {
      try #require(
        report.decision == (isLast ? .tornTail : .tornMiddle) && report.nextSequence == UInt64(record)
          && report.isIntact,
        "byte \(offset), bit \(bit): \(report)")
    }
  }

  @Test func `every bit of a segment's header is missed, and the header is derived from the records`() throws {
    let recorded = try Recorded(states: true)
    for bit in 0..<128 * 8 {
      recorded.disk.overwrite(segmentName) { $0[bit / 8] ^= 1 << (bit % 8) }
      let report = try recorded.verify()
      #expect(
        report.rebuiltSegments == [segmentName] && report.isIntact && report.nextSequence == UInt64(recordCount),
        "bit \(bit): \(report)")
      recorded.disk.overwrite(segmentName) { $0[bit / 8] ^= 1 << (bit % 8) }
    }
  }

  @Test func `a flipped bit of a stamp changes nothing`() throws {
    let recorded = try Recorded(states: true)
    for bit in 0..<64 {
      recorded.disk.overwrite(segmentName) { $0[4096 + bit / 8] ^= 1 << (bit % 8) }
      let report = try recorded.verify()
      #expect(report.isIntact && report.nextSequence == UInt64(recordCount) && report.decision == .cleanEnd)
    }
  }
}
