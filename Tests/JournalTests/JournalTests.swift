import Journal
import Rings
import Testing

@Suite struct JournalTests {
  @Test(arguments: DeviceKind.here) func `what was appended is read back after a restart, in order, over many segments`(
    _ kind: DeviceKind
  ) throws {
    let place = try DevicePlace(kind)
    defer { withExtendedLifetime(place) {} }
    var epoch: UInt64 = 0
    var expected: [UInt32] = []
    for round in 0..<3 {
      epoch += 1
      let writer = try JournalWriter(
        device: try place.device(), identity: testIdentity, stride: 8192, epoch: epoch, options: smallOptions())
      #expect(writer.recovery.nextSequence == UInt64(expected.count))
      if round > 0 { expected.append(0) }
      #expect(
        writer.state.nextSequence == UInt64(expected.count) && writer.state.durableThrough == writer.state.nextSequence)
      let producer = Producer(after: writer)
      for index in 0..<30 {
        let slot = producer.next(
          kind: EventKind.allCases[index % 9], payload: index * 100, durableThrough: writer.state.durableThrough)
        expected.append(try EventHeader(validating: slot).payloadCRC32C)
        try writer.append(slot)
      }
      try writer.flush()
      #expect(writer.state.durableThrough == UInt64(expected.count))
      try writer.close()
    }
    try check(place, expected)
  }

  private func check(_ place: DevicePlace, _ expected: [UInt32]) throws {
    let reader = JournalReader(device: try place.device(), identity: testIdentity, stride: 8192)
    #expect(try reader.sequences() == [0..<UInt64(expected.count)])
    let buffer = ReadBuffer(8192)
    for (sequence, checksum) in expected.enumerated() {
      let header = try reader.readHeader(sequence: UInt64(sequence), into: buffer.bytes)
      let record = try reader.read(sequence: UInt64(sequence), into: buffer.bytes)
      #expect(record.header == header)
      #expect(record.header.kind == .recovered || record.header.payloadCRC32C == checksum)
    }
    #expect(throws: JournalError.absent(folder: try place.device().folder, sequence: UInt64(expected.count))) {
      _ = try reader.read(sequence: UInt64(expected.count), into: buffer.bytes)
    }
    #expect(throws: JournalError.absent(folder: try place.device().folder, sequence: UInt64(expected.count))) {
      _ = try reader.readHeader(sequence: UInt64(expected.count), into: buffer.bytes)
    }
    let report = try verifyJournal(device: try place.device(), identity: testIdentity, stride: 8192)
    #expect(
      report.isIntact && report.decision == .cleanEnd && report.recordCount == expected.count && report.losses == [])
  }
}
