import Glibc
import Host
import Journal
import Rings
import Testing

private let stride = 8192

private func open(_ disk: SimulatedDisk, epoch: UInt64, rules: JournalRules = JournalRules()) throws(JournalError)
  -> JournalWriter
{
  var options = smallOptions()
  options.rules = rules
  return try JournalWriter(
    device: SimulatedDevice(disk: disk, rules: rules), identity: testIdentity, stride: stride, epoch: epoch,
    options: options)
}

private func verify(_ disk: SimulatedDisk, floor: UInt64 = 0) throws(JournalError) -> RecoveryReport {
  try verifyJournal(device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride, durableFloor: floor)
}

/// A disk with `count` durable records in segments of four.
private func written(_ count: Int) throws -> SimulatedDisk {
  let disk = SimulatedDisk()
  let writer = try open(disk, epoch: 1)
  let producer = Producer(after: writer)
  for _ in 0..<count {
    try writer.append(1, of: producer)
    try writer.flush()
  }
  try writer.close()
  return disk
}

private func name(_ first: Int) -> String {
  String(repeating: "0", count: 20 - String(first).count) + "\(first).segment"
}

/// Puts the bytes of a slot in the place of record `index` of a segment.
private func put(_ slot: UnsafeRawBufferPointer, _ disk: SimulatedDisk, _ first: Int, _ index: Int) {
  let bytes = Array(slot)
  disk.overwrite(name(first)) { $0.replaceSubrange(4096 + index * stride..<4096 + (index + 1) * stride, with: bytes) }
}

@Suite struct RecoveryTests {
  @Test func `a writer of an earlier or the same epoch is refused, and without the rule it is not`() throws {
    let disk = try written(3)
    try open(disk, epoch: 5).close()
    for epoch in UInt64(1)...5 {
      #expect(throws: JournalError.fenced(folder: "simulated", epoch: epoch, found: 5)) {
        _ = try open(disk, epoch: epoch)
      }
    }
    var rules = JournalRules()
    rules.checksEpoch = false
    #expect(throws: Never.self) { try open(disk, epoch: 3, rules: rules).close() }
  }

  @Test func `a record of an earlier epoch after a later one is corruption, and without the rule it is not`() throws {
    let disk = try written(2)
    let writer = try open(disk, epoch: 5)
    let state = writer.state
    try writer.close()
    let stale = Producer(stride: stride, epoch: 4, nextSequence: state.nextSequence, chain: state.chain)
    put(stale.next(), disk, 0, 3)
    let report = try verify(disk)
    #expect(report.damages.map(\.finding) == [.epochBack] && report.rule == "R6" && report.nextSequence == 3)
    #expect(throws: JournalError.self) { _ = try open(disk, epoch: 6) }
    var rules = JournalRules()
    rules.checksEpoch = false
    #expect(try open(disk, epoch: 6, rules: rules).recovery.nextSequence == 4)
  }

  @Test func `a writer's own segment may begin with what its predecessor had committed and not journaled`() throws {
    let disk = try written(4)
    var options = smallOptions()
    options.announcesRecovery = false
    // The first segment is full, so the second writer makes one of its own epoch before it gets a record.
    let writer = try JournalWriter(
      device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride, epoch: 2, options: options)
    let before = Producer(stride: stride, epoch: 1, nextSequence: 4, chain: writer.state.chain)
    try writer.append(1, of: before)
    try writer.append(
      1, of: Producer(stride: stride, epoch: 2, nextSequence: before.nextSequence, chain: before.chain))
    try writer.flush()
    try writer.close()
    #expect(disk.names == [name(0), name(4)])
    #expect(try verify(disk).isIntact)
    let reader = JournalReader(device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride)
    let buffer = ReadBuffer(stride)
    for (sequence, epoch) in [(UInt64(4), UInt64(1)), (5, 2)] {
      #expect(try reader.read(sequence: sequence, into: buffer.bytes).header.epoch == epoch)
    }
    #expect(try open(disk, epoch: 3).recovery.nextSequence == 6)
  }

  /// A full disk keeps records of two writers waiting, and the write of the second one's arrives alone.
  @Test func `what is written again may be of an earlier epoch than what a cut-off write left behind it`() throws {
    let disk = SimulatedDisk()
    func writer(_ epoch: UInt64) throws(JournalError) -> JournalWriter {
      var options = smallOptions()
      options.announcesRecovery = false
      return try JournalWriter(
        device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride, epoch: epoch, options: options)
    }
    let producer = Producer(stride: stride)
    let first = try writer(1)
    try first.append(2, of: producer)
    try first.close()
    let waiting = producer.next()
    let successor = Producer(stride: stride, epoch: 2, nextSequence: 3, chain: producer.chain)
    let later = successor.next()
    put(later, disk, 0, 3)
    let third = try writer(3)
    #expect(third.recovery.decision == .tornMiddle && third.recovery.epoch == 2 && third.state.nextSequence == 2)
    for slot in [waiting, later] { try third.append(slot) }
    let own = Producer(after: third)
    try third.append(1, of: own)
    try withExtendedLifetime((producer, successor, own)) { try third.close() }
    #expect(disk.names == [name(0), name(2)])
    #expect(try verify(disk).isIntact && verify(disk).nextSequence == 5)
    let reader = JournalReader(device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride)
    let buffer = ReadBuffer(stride)
    #expect(try (2..<5).map { try reader.read(sequence: $0, into: buffer.bytes).header.epoch } == [1, 2, 3])
  }

  @Test func `a whole record of another history is corruption, and without the chain it is not`() throws {
    let disk = try written(2)
    let other = Producer(stride: stride, nextSequence: 2, chain: 12345)
    put(other.next(), disk, 0, 2)
    #expect(try verify(disk).damages.map(\.finding) == [.chainBroken])
    var rules = JournalRules()
    rules.checksChain = false
    #expect(try open(disk, epoch: 6, rules: rules).recovery.nextSequence == 3)
  }

  @Test func `a record of another topic, run or place is corruption, never the end`() throws {
    let foreign = RingIdentity(runID: testIdentity.runID, topic: 9, partition: 4)
    for (producer, finding) in [
      (Producer(stride: stride, nextSequence: 2, identity: foreign), RecordFinding.foreign),
      (Producer(stride: stride, nextSequence: 7), .misplaced),
    ] {
      let disk = try written(2)
      put(producer.next(), disk, 0, 2)
      let report = try verify(disk)
      #expect(report.damages.map(\.finding) == [finding] && report.nextSequence == 2)
      #expect(report.damages.first?.lowerBound == 2 && report.damages.first?.upperBound == 2)
    }
  }

  @Test func `the bytes of a torn record are kept, and without the rule they are not`() throws {
    for keeps in [true, false] {
      let disk = try written(3)
      disk.overwrite(name(0)) { $0[4096 + 2 * stride + 4100] ^= 1 }
      let before = disk.bytes(of: name(0))
      var rules = JournalRules()
      rules.keepsTornBytes = keeps
      let writer = try open(disk, epoch: 2, rules: rules)
      #expect(
        writer.recovery.decision == .tornTail && writer.recovery.rule == "R3" && writer.recovery.nextSequence == 2)
      try writer.close()
      #expect((disk.bytes(of: name(0)) == before) == keeps)
      #expect(disk.names.contains(name(2)) == keeps)
      #expect(try verify(disk).nextSequence == 3)
    }
  }

  @Test func `a missing, swapped or foreign segment is corruption with its exact range`() throws {
    let missing = try written(14)
    missing.remove(name(4))
    let report = try verify(missing)
    #expect(report.damages == [try damage("4..<8", .missing)] && report.nextSequence == 14)
    let first = try written(14)
    first.remove(name(0))
    #expect(try verify(first).damages == [try damage("0..<4", .missing)])
    let last = try written(14)
    last.remove(name(12))
    #expect(try verify(last, floor: 14).damages == [try damage("12..<14", .missing)])
    let swapped = try written(14)
    let bytes = try #require(swapped.bytes(of: name(4)))
    swapped.overwrite(name(8)) { $0 = bytes }
    #expect(throws: JournalError.corrupted(folder: "simulated", damages: [try damage("8..<8", .foreign)])) {
      _ = try verify(swapped)
    }
  }

  private func damage(_ range: String, _ finding: RecordFinding) throws -> JournalDamage {
    let ends = range.split(separator: ".").compactMap { UInt64($0.filter(\.isNumber)) }
    return JournalDamage(lowerBound: ends[0], upperBound: ends[1], finding: finding)
  }

  @Test func `a damaged header of any one segment is derived from its neighbours`() throws {
    for first in [0, 4, 8, 12] {
      let disk = try written(14)
      disk.overwrite(name(first)) { $0[50] ^= 8 }
      let report = try verify(disk)
      #expect(report.isIntact && report.rebuiltSegments == [name(first)] && report.nextSequence == 14)
      let writer = try open(disk, epoch: 2)
      #expect(writer.recovery.nextSequence == 14)
      try writer.close()
      #expect(try verify(disk).nextSequence == 15)
    }
  }

  @Test func `damaged headers of several segments are derived as long as no segment is missing beside them`() throws {
    for firsts in [[0, 4], [0, 8], [4, 8], [8, 12], [0, 4, 8, 12]] {
      let disk = try written(14)
      for first in firsts { disk.overwrite(name(first)) { $0[50] ^= 8 } }
      let report = try verify(disk)
      #expect(report.isIntact && report.rebuiltSegments == firsts.map { name($0) }, "\(report)")
      #expect(report.nextSequence == 14 && report.recordCount == 14)
    }
    let broken = try written(14)
    for first in [4, 8] { broken.overwrite(name(first)) { $0[50] ^= 8 } }
    broken.overwrite(name(4)) { $0[4096 + 20] ^= 8 }
    #expect(try verify(broken).damages == [try damage("4..<5", .chainBroken)])
    #expect(try verify(broken).rebuiltSegments == [name(4), name(8)])
    for record in 0..<4 { broken.overwrite(name(4)) { $0[4096 + record * stride + 20] = 0xAA } }
    #expect(try verify(broken).damages == [try damage("4..<8", .missing)])
    #expect(try verify(broken).rebuiltSegments == [name(8)])
  }

  @Test func `segments under other names are found, and copies have no place`() throws {
    func misplaced(_ disk: SimulatedDisk) throws -> [MisplacedFile] {
      try misplacedFiles(device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride)
    }
    let disk = try written(14)
    #expect(try misplaced(disk).isEmpty)
    let (first, second) = (try #require(disk.bytes(of: name(4))), try #require(disk.bytes(of: name(8))))
    disk.overwrite(name(8)) { $0 = first }
    #expect(try misplaced(disk) == [MisplacedFile(name: name(8), place: nil)])
    disk.overwrite(name(4)) { $0 = second }
    #expect(
      try misplaced(disk) == [
        MisplacedFile(name: name(4), place: name(8)), MisplacedFile(name: name(8), place: name(4)),
      ])
    disk.overwrite(name(12)) { $0 = first }
    #expect(try misplaced(disk).last == MisplacedFile(name: name(12), place: nil))
  }

  @Test func `recovery that is itself cut off at any operation converges`() throws {
    for operation in [FaultPlan.Operation.allocate, .writePage, .syncPage, .rename, .syncFolder, .write, .sync] {
      for number in 0..<6 {
        let disk = try written(3)
        disk.overwrite(name(0)) { $0[4096 + 2 * stride + 4100] ^= 1 }
        disk.plan.faults = (0..<5).map {
          .init(operation, disk.count(operation) + number + $0, .error(Errno(rawValue: EIO)))
        }
        var epoch: UInt64 = 2
        var writer: JournalWriter?
        for _ in 0..<12 where writer == nil {
          do throws(JournalError) { writer = try open(disk, epoch: epoch) } catch { disk.cutPower() }
          epoch += 1
        }
        let next = try #require(writer?.recovery.nextSequence, "\(operation) \(number)")
        #expect(next >= 2)
        try writer?.close()
        #expect(try verify(disk).isIntact)
      }
    }
  }

  @Test func `salvage puts a loss on record, keeps every byte, and the journal goes on`() throws {
    let disk = try written(14)
    disk.overwrite(name(4)) { $0[4096 + stride + 4100] ^= 1 }
    disk.remove(name(8))
    let before = disk.bytes(of: name(4))
    // A restart reads only what is not known to be durable; all of it is read on request.
    #expect(throws: JournalError.self) { _ = try open(disk, epoch: 2) }
    let given = try salvageJournal(device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride)
    #expect(given == [try damage("5..<6", .payload), try damage("8..<12", .missing)])
    #expect(disk.bytes(of: name(4)) == before)
    let writer = try open(disk, epoch: 2)
    #expect(writer.recovery.losses == [8..<12] && writer.recovery.nextSequence == 14)
    try writer.close()
    let report = try verify(disk)
    #expect(report.isIntact && report.losses == [5..<6, 8..<12] && report.nextSequence == 15)
    let reader = JournalReader(device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride)
    let buffer = ReadBuffer(stride)
    #expect(try reader.sequences() == [0..<5, 6..<8, 12..<15])
    #expect(throws: JournalError.lost(folder: "simulated", range: 8..<12)) {
      _ = try reader.read(sequence: 9, into: buffer.bytes)
    }
    #expect(try reader.read(sequence: 6, into: buffer.bytes).header.sequence == 6)
    #expect(try salvageJournal(device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride).isEmpty)
  }
}

@Suite struct RetentionTests {
  @Test func `retention keeps what is needed, two segments, and a record of what it removed`() throws {
    let disk = try written(22)
    let writer = try open(disk, epoch: 2)
    #expect(try writer.retire(below: 3) == [])
    #expect(try writer.retire(below: 9) == [name(0), name(4)])
    #expect(try writer.retire(below: 1000) == [name(8), name(12)])
    #expect(try writer.retire(below: 1000) == [])
    #expect(disk.names == [name(16), name(20), "retired"])
    try writer.close()
    let report = try verify(disk)
    #expect(report.isIntact && report.firstSequence == 16 && report.nextSequence == 23)
    disk.remove(name(16))
    #expect(try verify(disk).damages.first?.finding == .missing)
  }

  @Test func `retention that is cut off anywhere leaves a journal that opens`() throws {
    for seed in UInt64(0)..<300 {
      let disk = try written(22)
      disk.plan = FaultPlan(seed: seed)
      let writer = try open(disk, epoch: 2)
      var random = SplitMix64(seed: seed)
      let operation: FaultPlan.Operation = [.unlink, .syncFolder, .rename, .syncPage, .allocate][Int(random.next() % 5)]
      let number = disk.count(operation) + Int(random.next() % 5)
      disk.plan.faults = [.init(operation, number, .error(Errno(rawValue: EIO)))]
      do throws(JournalError) { _ = try writer.retire(below: 17) } catch { #expect(error.exitCode == 74) }
      disk.cutPower()
      disk.plan.faults = []
      let next = try open(disk, epoch: 3)
      #expect(next.recovery.firstSequence <= 16 && next.recovery.nextSequence == 23, "seed \(seed)")
      #expect(try verify(disk).isIntact, "seed \(seed)")
    }
  }

  @Test func `a reader goes on in a segment that retention removes, and finds what is removed absent`() throws {
    let disk = try written(22)
    let reader = JournalReader(device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride)
    let buffer = ReadBuffer(stride)
    _ = try reader.read(sequence: 0, into: buffer.bytes)
    let writer = try open(disk, epoch: 2)
    #expect(try writer.retire(below: 17).count == 4)
    #expect(try reader.read(sequence: 1, into: buffer.bytes).header.sequence == 1)
    let late = JournalReader(device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride)
    #expect(throws: JournalError.absent(folder: "simulated", sequence: 1)) {
      _ = try late.read(sequence: 1, into: buffer.bytes)
    }
    #expect(try late.read(sequence: 16, into: buffer.bytes).header.sequence == 16)
  }
}
