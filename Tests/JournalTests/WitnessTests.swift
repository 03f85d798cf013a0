import Host
import Journal
import Testing

/// Journals of one batch, whose records say nothing of each other: damage of the first of them must not look like a
/// journal that was hardly begun.
@Suite struct WitnessTests {
  private static let (stride, count) = (8192, 6)
  private static let name = "00000000000000000000.segment"

  /// What becomes of the disk, and the records that are not there afterwards.
  enum Damage: String, CaseIterable {
    case firstHeader, firstThree, everyHeader, firstBlock, firstPayload, lastRecord, zeros, cutToPage, empty, gone

    var lost: Range<UInt64> {
      switch self {
      case .firstHeader, .firstBlock, .firstPayload: 0..<1
      case .firstThree: 0..<3
      case .lastRecord: 5..<6
      case .everyHeader, .zeros, .cutToPage, .empty, .gone: 0..<6
      }
    }

    func strike(_ disk: SimulatedDisk) throws {
      guard self != .gone else {
        let device = SimulatedDevice(disk: disk)
        try device.unlink(WitnessTests.name)
        return try device.syncFolder()
      }
      disk.overwrite(WitnessTests.name) { bytes in
        switch self {
        case .firstHeader, .firstThree, .everyHeader, .lastRecord:
          for record in lost { bytes[4096 + Int(record) * WitnessTests.stride + 64] ^= 1 }
        case .firstPayload: bytes[4096 + 4096 + 7] ^= 1
        case .firstBlock: for offset in 0..<4096 + WitnessTests.stride { bytes[offset] = 0 }
        case .zeros: for offset in bytes.indices { bytes[offset] = 0 }
        case .cutToPage: bytes.removeSubrange(4096...)
        case .empty, .gone: bytes.removeAll()
        }
      }
    }
  }

  private func options(recordsEnd: Bool = true, floor: Int = 0) -> JournalOptions {
    var options = smallOptions(stride: Self.stride, records: Self.count + 2)
    options.batchByteCount = Self.count * Self.stride
    options.batchByteCountMax = options.batchByteCount
    options.batchDelay = .seconds(60)
    options.announcesRecovery = false
    options.recordsEnd = recordsEnd
    options.depth = .everything
    options.durableFloor = UInt64(floor)
    return options
  }

  private func pair(_ disks: [SimulatedDisk]) throws -> any JournalDevice {
    if disks.count == 1 { return SimulatedDevice(disk: disks[0]) }
    var rest = disks.makeIterator()
    return try MirroredDevice(["first", "second"], identity: testIdentity, stride: Self.stride) {
      (_) throws(HostError) in
      guard let disk = rest.next() else { preconditionFailure("no disk is left") }
      return SimulatedDevice(disk: disk)
    }
  }

  /// Writes the records in one batch.
  private func write(_ disks: [SimulatedDisk], recordsEnd: Bool = true) throws {
    let writer = try JournalWriter(
      device: pair(disks), identity: testIdentity, stride: Self.stride, epoch: 1,
      options: options(recordsEnd: recordsEnd))
    let producer = Producer(after: writer)
    for _ in 0..<Self.count { try writer.append(producer.next()) }
    try writer.close()
  }

  private func verify(_ disks: [SimulatedDisk], floor: Int = 0) throws -> RecoveryReport {
    try verifyJournal(
      device: pair(disks), identity: testIdentity, stride: Self.stride, durableFloor: UInt64(floor))
  }

  @Test(arguments: Damage.allCases, [false, true])
  func `damage of what was acknowledged in one go is damage, never an end`(_ damage: Damage, _ wasClosed: Bool) throws {
    let disk = SimulatedDisk()
    // Where nobody closed the journal, others know how far it was.
    let floor = wasClosed ? 0 : Self.count
    try write([disk], recordsEnd: wasClosed)
    #expect(disk.names.contains("through") == wasClosed)
    try damage.strike(disk)
    let report = try verify([disk], floor: floor)
    #expect(report.damages.map { $0.lowerBound..<$0.upperBound } == [damage.lost] && report.nextSequence == 6)
    #expect(throws: JournalError.self) {
      try JournalWriter(
        device: pair([disk]), identity: testIdentity, stride: Self.stride, epoch: 2, options: options(floor: floor))
    }
    _ = try salvageJournal(
      device: pair([disk]), identity: testIdentity, stride: Self.stride, options: options(floor: floor))
    let writer = try JournalWriter(
      device: pair([disk]), identity: testIdentity, stride: Self.stride, epoch: 2, options: options(floor: floor))
    let producer = Producer(after: writer)
    try writer.append(producer.next())
    try writer.close()
    let after = try verify([disk], floor: floor)
    #expect(after.isIntact && after.losses == [damage.lost] && after.nextSequence == 7)
    #expect(try verify([disk]).durableThrough >= 7)
  }

  @Test func `without a witness such a journal reads as one that was never written`() throws {
    let disk = SimulatedDisk()
    try write([disk], recordsEnd: false)
    try Damage.firstHeader.strike(disk)
    let report = try verify([disk])
    #expect(report.isIntact && report.nextSequence == 0 && report.decision == .tornMiddle)
  }

  @Test(arguments: Damage.allCases, [0, 1])
  func `what one copy has in one go is there whatever becomes of the other`(_ damage: Damage, _ side: Int) throws {
    let disks = [SimulatedDisk(), SimulatedDisk()]
    try write(disks)
    try damage.strike(disks[side])
    #expect(try verify([disks[side]]).damages.map { $0.lowerBound..<$0.upperBound } == [damage.lost])
    let both = try verify(disks)
    #expect(both.isIntact && both.nextSequence == 6)
    let writer = try JournalWriter(
      device: pair(disks), identity: testIdentity, stride: Self.stride, epoch: 2, options: options())
    #expect(writer.state.nextSequence == 6)
    try writer.close()
    _ = try #require(try pair(disks) as? MirroredDevice).mended(options())
    for disk in disks { #expect(try verify([disk]).isIntact && verify([disk]).nextSequence == 6) }
  }

  @Test func `a damaged witness is no damage, and the next one who closes the journal writes another`() throws {
    let disk = SimulatedDisk()
    try write([disk])
    disk.overwrite("through") { $0[90] ^= 4 }
    let report = try verify([disk])
    #expect(report.isIntact && report.nextSequence == 6)
    let writer = try JournalWriter(
      device: pair([disk]), identity: testIdentity, stride: Self.stride, epoch: 2, options: options())
    try writer.close()
    try Damage.firstHeader.strike(disk)
    #expect(try verify([disk]).damages.count == 1)
  }

  @Test func `a full disk does not keep a journal from being closed`() throws {
    let disk = SimulatedDisk()
    let writer = try JournalWriter(
      device: pair([disk]), identity: testIdentity, stride: Self.stride, epoch: 1, options: options())
    let producer = Producer(after: writer)
    try writer.append(producer.next())
    try writer.flush()
    disk.capacity = 0
    try writer.close()
    #expect(!disk.names.contains("through"))
    disk.capacity = 1 << 30
    #expect(try verify([disk]).nextSequence == 1)
  }
}

extension MirroredDevice {
  fileprivate func mended(_ options: JournalOptions) throws -> MendReport { try mendJournal(self, options: options) }
}
