import Journal
import Rings
import Testing

/// What must not grow with a journal.
@Suite struct ManySegmentsTests {
  private static let (segments, recordsPerSegment) = (300, 4)
  private let stride = 4096

  private func options() -> JournalOptions { smallOptions(stride: stride, records: Self.recordsPerSegment) }

  private func open(_ device: SimulatedDevice, epoch: UInt64) throws -> JournalWriter {
    try JournalWriter(device: device, identity: testIdentity, stride: stride, epoch: epoch, options: options())
  }

  /// Writes segments full of records.
  private func write(_ disk: SimulatedDisk) throws {
    let writer = try open(SimulatedDevice(disk: disk), epoch: 1)
    let producer = Producer(after: writer)
    for _ in 0..<Self.segments {
      try writer.append(Self.recordsPerSegment, of: producer, payload: 0)
      try writer.flush()
    }
    try writer.close()
  }

  @Test func `of many segments few are open at a time, by a writer, a reader, and who verifies or salvages`() throws {
    let disk = SimulatedDisk()
    try write(disk)
    let count = UInt64(Self.segments * Self.recordsPerSegment)
    #expect(disk.names.count == Self.segments)
    let device = SimulatedDevice(disk: disk)
    let writer = try open(device, epoch: 2)
    #expect(writer.recovery.segments.count == Self.segments && writer.recovery.nextSequence == count)
    // Those that recovery looks at, and the one that is written.
    #expect(device.filesOpenMax <= JournalReader.descriptorsMax + 2, "\(device.filesOpenMax)")
    let reading = SimulatedDevice(disk: disk)
    let reader = JournalReader(device: reading, identity: testIdentity, stride: stride)
    let buffer = ReadBuffer(stride)
    for sequence in Array(0..<count) + Array((0..<count).reversed()) {
      #expect(try reader.read(sequence: sequence, into: buffer.bytes).header.sequence == sequence)
    }
    #expect(reading.filesOpenMax <= JournalReader.descriptorsMax, "\(reading.filesOpenMax)")
    let verifying = SimulatedDevice(disk: disk)
    #expect(try verifyJournal(device: verifying, identity: testIdentity, stride: stride).isIntact)
    #expect(verifying.filesOpenMax <= JournalReader.descriptorsMax, "\(verifying.filesOpenMax)")
    try writer.close()
    let salvaging = SimulatedDevice(disk: disk)
    #expect(try salvageJournal(device: salvaging, identity: testIdentity, stride: stride).isEmpty)
    #expect(salvaging.filesOpenMax <= JournalReader.descriptorsMax, "\(salvaging.filesOpenMax)")
  }

  @Test func `small records that are durable are read many at a time, up and down, and none before it is durable`()
    throws
  {
    let disk = SimulatedDisk()
    var options = smallOptions(stride: stride, records: 1024)
    options.batchByteCount = 64 * stride
    let device = SimulatedDevice(disk: disk)
    let writer = try JournalWriter(
      device: device, identity: testIdentity, stride: stride, epoch: 1, options: options)
    let producer = Producer(after: writer, slotCount: 1024)
    try writer.append(960, of: producer, payload: 0)
    try writer.flush()
    let reader = JournalReader(device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride)
    let buffer = ReadBuffer(stride)
    func read(_ sequences: some Sequence<UInt64>, through durable: UInt64) throws -> Int {
      let before = disk.count(.read)
      for sequence in sequences {
        let record = try reader.read(sequence: sequence, into: buffer.bytes, durableThrough: durable)
        #expect(record.header.sequence == sequence)
      }
      return disk.count(.read) - before
    }
    // Fifteen batches of 64, and the segment's page; back from the last one, which is at hand.
    #expect(try read(0..<960, through: 960) == 16)
    #expect(try read((0..<960).reversed(), through: 960) == 14)
    // What follows is written one by one, in the place where the last batch's ends.
    for sequence in 960..<UInt64(1024) {
      try writer.append(producer.next(payload: 0, durableThrough: sequence))
      try writer.flush()
      #expect(try read(sequence...sequence, through: sequence + 1) <= 3)
    }
    #expect(try read(960..<1024, through: 1024) <= 2)
    try writer.close()
  }
}
