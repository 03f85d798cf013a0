import Glibc
import Host
import Journal
import Testing

private let stride = 8192

/// Appends forty records while the plan strikes, and returns what the writer says at the end.
private func write(_ disk: SimulatedDisk, _ count: Int = 40) throws(JournalError) -> JournalWriter {
  let writer = try JournalWriter(
    device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride, epoch: 1, options: smallOptions())
  let producer = Producer(after: writer)
  for _ in 0..<count {
    try writer.append(1, of: producer)
    try writer.poll()
  }
  try writer.flush(timeout: .seconds(5))
  return writer
}

private func recovered(_ disk: SimulatedDisk) throws(JournalError) -> RecoveryReport {
  try verifyJournal(device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride)
}

/// The operations that a run without faults does.
private func operationCount(_ operation: FaultPlan.Operation) throws -> Int {
  let disk = SimulatedDisk()
  _ = try write(disk)
  return disk.count(operation)
}

@Suite struct DeviceErrorTests {
  @Test(arguments: [FaultPlan.Operation.write, .sync])
  func `an error of any one write or sync ends its segment and loses nothing`(
    _ operation: FaultPlan.Operation
  ) throws {
    for number in 0..<(try operationCount(operation)) {
      let disk = SimulatedDisk(plan: FaultPlan([.init(operation, number, .error(Errno(rawValue: EIO)))]))
      let writer = try write(disk)
      #expect(writer.state.durableThrough == 40 && writer.alarm == .good)
      disk.cutPower { _ in false }
      let report = try recovered(disk)
      #expect(report.isIntact && report.nextSequence == 40, "\(operation) \(number): \(report)")
    }
  }

  @Test func `a file is never synced again after a sync of it failed`() throws {
    let count = try operationCount(.sync)
    for number in 0..<count {
      let disk = SimulatedDisk(plan: FaultPlan([.init(.sync, number, .error(Errno(rawValue: EIO)))]))
      let device = SyncLog(disk)
      let writer = try JournalWriter(
        device: device, identity: testIdentity, stride: stride, epoch: 1, options: smallOptions())
      let producer = Producer(after: writer)
      for _ in 0..<40 {
        try writer.append(1, of: producer)
        try writer.poll()
      }
      try writer.flush()
      let failed = try #require(device.syncs.firstIndex { $0.failed })
      let file = device.syncs[failed].file
      #expect(!device.submissions.dropFirst(device.syncs[failed].submissions).contains(file), "sync \(number)")
    }
  }

  @Test(arguments: [FaultPlan.Operation.write, .sync])
  func `the second error stops the writer, and what was acknowledged is there`(
    _ operation: FaultPlan.Operation
  ) throws {
    for number in 0..<(try operationCount(operation)) - 1 {
      let errno = Errno(rawValue: EIO)
      let disk = SimulatedDisk(
        plan: FaultPlan([.init(operation, number, .error(errno)), .init(operation, number + 1, .error(errno))]))
      let device = SimulatedDevice(disk: disk)
      let writer = try JournalWriter(
        device: device, identity: testIdentity, stride: stride, epoch: 1, options: smallOptions())
      let producer = Producer(after: writer)
      var failure: JournalError?
      do throws(JournalError) {
        for _ in 0..<40 {
          try writer.append(1, of: producer)
          try writer.poll()
        }
        try writer.flush()
      } catch {
        failure = error
      }
      guard case .failed = failure else {
        Issue.record("\(operation) \(number): \(String(describing: failure))")
        continue
      }
      #expect(failure?.exitCode == 74)
      #expect(throws: JournalError.self) { try writer.poll() }
      let acknowledged = writer.state.durableThrough
      device.kill()
      disk.cutPower { _ in false }
      #expect(try recovered(disk).nextSequence >= acknowledged)
    }
  }

  @Test(arguments: [FaultPlan.Operation.allocate, .rename, .syncFolder, .writePage, .syncPage])
  func `an error while any segment is made is survived once`(_ operation: FaultPlan.Operation) throws {
    // The first segment's failure is the opening's.
    let first = operation == .syncFolder ? 2 : 1
    for number in first..<(try operationCount(operation)) {
      for errno in [EIO, ENOSPC] {
        let disk = SimulatedDisk(plan: FaultPlan([.init(operation, number, .error(Errno(rawValue: errno)))]))
        #expect(try write(disk).state.durableThrough == 40)
        disk.cutPower { _ in false }
        let report = try recovered(disk)
        #expect(report.isIntact && report.nextSequence == 40, "\(operation) \(number): \(report)")
      }
    }
  }

  @Test func `a short write of any length is completed`() throws {
    for length in [0, 1, 511, 512, 4095] + Array(Swift.stride(from: 4096, to: 24576, by: 4096)) {
      for number in 0..<5 {
        let disk = SimulatedDisk(plan: FaultPlan([.init(.write, number, .short(length))]))
        #expect(try write(disk).state.durableThrough == 40)
        disk.cutPower { _ in false }
        #expect(try recovered(disk).nextSequence == 40, "\(length) bytes of write \(number)")
      }
    }
  }
}

/// Notes which file each batch goes to, and whose sync failed.
private final class SyncLog: JournalDevice {
  private let inner: SimulatedDevice
  private(set) var submissions: [JournalFile] = []
  private(set) var syncs: [(file: JournalFile, failed: Bool, submissions: Int)] = []
  private var inFlight: [WriteBatch] = []

  init(_ disk: SimulatedDisk) { inner = SimulatedDevice(disk: disk) }

  var folder: String { inner.folder }
  var mechanism: String { inner.mechanism }
  func names() throws(HostError) -> [String] { try inner.names() }
  func lockFolder(wait: Duration) throws(HostError) -> Bool { try inner.lockFolder(wait: wait) }
  func unlockFolder() { inner.unlockFolder() }
  func create(_ name: String, byteCount: Int) throws(HostError) -> JournalFile {
    try inner.create(name, byteCount: byteCount)
  }
  func open(_ name: String, forWriting: Bool) throws(HostError) -> JournalFile {
    try inner.open(name, forWriting: forWriting)
  }
  func lock(_ file: JournalFile, wait: Duration) throws(HostError) -> Bool { try inner.lock(file, wait: wait) }
  func close(_ file: JournalFile) { inner.close(file) }
  func byteCount(of file: JournalFile) throws(HostError) -> Int { try inner.byteCount(of: file) }
  func read(_ file: JournalFile, into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(HostError) -> Int {
    try inner.read(file, into: bytes, at: offset)
  }
  func write(_ file: JournalFile, _ bytes: UnsafeRawBufferPointer, at offset: Int) throws(HostError) {
    try inner.write(file, bytes, at: offset)
  }
  func sync(_ file: JournalFile) throws(HostError) { try inner.sync(file) }
  func rename(_ name: String, to newName: String) throws(HostError) { try inner.rename(name, to: newName) }
  func unlink(_ name: String) throws(HostError) { try inner.unlink(name) }
  func syncFolder() throws(HostError) { try inner.syncFolder() }
  func register(_ memory: UnsafeRawBufferPointer) -> Bool { false }
  func submit(_ batch: WriteBatch) throws(HostError) {
    submissions.append(batch.file)
    inFlight.append(batch)
    try inner.submit(batch)
  }
  func reap(wait: Duration) throws(HostError) -> Int {
    let count = try inner.reap(wait: wait)
    for batch in inFlight where batch.isComplete {
      syncs.append((batch.file, batch.syncResult < 0 && batch.syncResult != -ECANCELED, submissions.count))
    }
    inFlight.removeAll(where: \.isComplete)
    return count
  }
}

@Suite struct FullDiskTests {
  @Test func `a full disk stops nothing: records wait, an alarm shows, and writing goes on when there is room`() throws
  {
    let disk = SimulatedDisk()
    let writer = try JournalWriter(
      device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride, epoch: 1, options: smallOptions())
    let producer = Producer(after: writer)
    disk.capacity = 1
    for _ in 0..<20 {
      try writer.append(1, of: producer)
      try writer.poll()
    }
    #expect(writer.alarm == .journalFull && writer.state.durableThrough == 4)
    #expect(throws: JournalError.full(folder: "simulated")) { try writer.flush(timeout: .milliseconds(20)) }
    disk.capacity = 1 << 30
    try writer.flush()
    #expect(writer.alarm == .good && writer.state.durableThrough == 20)
    #expect(try recovered(disk).nextSequence == 20)
  }

  @Test(arguments: [0, 4])
  func `a writer opens on a full disk, takes records, and writes them when there is room`(before: Int) throws {
    let disk = SimulatedDisk()
    // A whole segment.
    if before > 0 { try write(disk, before).close() }
    disk.capacity = 1
    var options = smallOptions()
    options.announcesRecovery = false
    let writer = try JournalWriter(
      device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride, epoch: 2, options: options)
    let producer = Producer(after: writer)
    try writer.append(10, of: producer)
    try writer.poll()
    #expect(writer.state.durableThrough < writer.state.nextSequence && writer.alarm == .journalFull)
    disk.capacity = 1 << 30
    try writer.flush()
    #expect(writer.alarm == .good)
    #expect(try recovered(disk).nextSequence == UInt64(before + 10))
  }

  /// Two epochs in one segment: the first one's records had no room before its writer died.
  @Test(arguments: [0, 4], [false, true])
  func `records that a predecessor had committed may begin a segment of its successor`(before: Int, isFull: Bool) throws
  {
    let disk = SimulatedDisk()
    var options = smallOptions()
    options.announcesRecovery = false
    func writer(_ epoch: UInt64) throws(JournalError) -> JournalWriter {
      try JournalWriter(
        device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride, epoch: epoch, options: options)
    }
    let producer = Producer(stride: stride)
    let first = try writer(1)
    try first.append(before, of: producer)
    try first.close()
    let waiting = (0..<3).map { _ in producer.next() }
    if isFull { disk.capacity = 1 }
    // One that dies before it has written them.
    try writer(2).close()
    let second = try writer(3)
    for slot in waiting { try second.append(slot) }
    try second.append(5, of: Producer(after: second))
    disk.capacity = 1 << 30
    try second.close()
    let reader = JournalReader(device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride)
    let buffer = ReadBuffer(stride)
    for sequence in 0..<UInt64(before + 8) { _ = try reader.read(sequence: sequence, into: buffer.bytes) }
    #expect(try recovered(disk).nextSequence == UInt64(before + 8) && recovered(disk).isIntact)
    #expect(try writer(4).state.nextSequence == UInt64(before + 8))
  }

  @Test(arguments: [FaultPlan.Operation.write, .sync])
  func `no space in any one write or sync ends its segment, not the writer`(
    _ operation: FaultPlan.Operation
  ) throws {
    for number in 0..<(try operationCount(operation)) - 3 {
      let faults = (0..<3).map { FaultPlan.Fault(operation, number + $0, .error(Errno(rawValue: ENOSPC))) }
      let disk = SimulatedDisk(plan: FaultPlan(faults))
      #expect(try write(disk).state.durableThrough == 40)
      disk.cutPower { _ in false }
      let report = try recovered(disk)
      #expect(report.isIntact && report.nextSequence == 40, "\(operation) \(number): \(report)")
    }
  }
}

@Suite struct PowerCutTests {
  /// Two records, sixteen sectors, were written by a writer that was killed before their sync.
  @Test func `every subset of the sectors of an unsynced batch is recovered as a prefix`() throws {
    for subset in 0..<1 << 16 {
      guard let disk = try unsyncedPair(), disk.unsyncedSectorCount == 16 else { continue }
      disk.cutPower { $0 >= 16 || subset >> $0 & 1 == 1 }
      let report = try verifyJournal(device: SimulatedDevice(disk: disk), identity: testIdentity, stride: 4096)
      // The header and its metadata are in a record's first sector; the rest is zeros.
      let survivors: UInt64 = subset & 1 == 0 ? 3 : subset >> 8 & 1 == 0 ? 4 : 5
      try #require(report.isIntact && report.nextSequence == survivors, "subset \(subset): \(report)")
      let decision: RecoveryDecision = subset & 1 == 0 && subset >> 8 & 1 == 1 ? .tornMiddle : .cleanEnd
      try #require(report.decision == decision, "subset \(subset): \(report)")
    }
  }

  private func unsyncedPair() throws -> SimulatedDisk? {
    let disk = SimulatedDisk()
    let device = SimulatedDevice(disk: disk)
    let options = smallOptions(stride: 4096, records: 6)
    let writer = try JournalWriter(device: device, identity: testIdentity, stride: 4096, epoch: 1, options: options)
    let producer = Producer(stride: 4096, slotCount: 8)
    try writer.append(3, of: producer, payload: 0)
    try writer.flush()
    try writer.append(2, of: producer, payload: 0)
    try writer.poll()
    device.kill()
    disk.landOrphans()
    return disk
  }

  @Test func `a segment whose making was cut off is ignored, and what was there before goes on`() throws {
    let steps = try operationCount(.syncFolder) + 40
    for seed in UInt64(0)..<200 {
      let disk = SimulatedDisk(plan: FaultPlan(seed: seed))
      var random = SplitMix64(seed: seed)
      let device = SimulatedDevice(disk: disk)
      let writer = try JournalWriter(
        device: device, identity: testIdentity, stride: stride, epoch: 1, options: smallOptions())
      let producer = Producer(after: writer)
      for _ in 0..<Int(random.next() % UInt64(steps)) {
        try writer.append(1, of: producer)
        try writer.poll()
      }
      let acknowledged = writer.state.durableThrough
      device.kill()
      disk.cutPower()
      let next = try JournalWriter(
        device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride, epoch: 2, options: smallOptions())
      #expect(next.recovery.nextSequence >= acknowledged, "seed \(seed)")
    }
  }
}
