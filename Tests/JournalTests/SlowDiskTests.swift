import Host
import Journal
import Testing

/// A disk on which every batch takes its time.
private final class SlowDevice: JournalDevice {
  private let device: SimulatedDevice
  private let latency: Duration
  private var due = Deadline(after: .zero)
  /// Batches that were submitted.
  private(set) var batchCount = 0

  init(_ disk: SimulatedDisk, latency: Duration) {
    device = SimulatedDevice(disk: disk)
    self.latency = latency
  }

  var mechanism: String { "slow" }
  var folder: String { device.folder }
  func names() throws(HostError) -> [String] { try device.names() }
  func lockFolder(wait: Duration) throws(HostError) -> Bool { try device.lockFolder(wait: wait) }
  func unlockFolder() { device.unlockFolder() }
  func create(_ name: String, byteCount: Int) throws(HostError) -> JournalFile {
    try device.create(name, byteCount: byteCount)
  }
  func open(_ name: String, forWriting: Bool) throws(HostError) -> JournalFile {
    try device.open(name, forWriting: forWriting)
  }
  func lock(_ file: JournalFile, wait: Duration) throws(HostError) -> Bool { try device.lock(file, wait: wait) }
  func close(_ file: JournalFile) { device.close(file) }
  func byteCount(of file: JournalFile) throws(HostError) -> Int { try device.byteCount(of: file) }
  func read(_ file: JournalFile, into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(HostError) -> Int {
    try device.read(file, into: bytes, at: offset)
  }
  func write(_ file: JournalFile, _ bytes: UnsafeRawBufferPointer, at offset: Int) throws(HostError) {
    try device.write(file, bytes, at: offset)
  }
  func sync(_ file: JournalFile) throws(HostError) { try device.sync(file) }
  func rename(_ name: String, to newName: String) throws(HostError) { try device.rename(name, to: newName) }
  func unlink(_ name: String) throws(HostError) { try device.unlink(name) }
  func syncFolder() throws(HostError) { try device.syncFolder() }
  func register(_ memory: UnsafeRawBufferPointer) -> Bool { device.register(memory) }

  func submit(_ batch: WriteBatch) throws(HostError) {
    batchCount += 1
    if due.hasPassed { due = Deadline(after: latency) }
    try device.submit(batch)
  }

  func reap(wait: Duration) throws(HostError) -> Int {
    let limit = Deadline(after: wait)
    while !due.hasPassed { if limit.hasPassed { return 0 } }
    due = Deadline(after: latency)
    return try device.reap(wait: limit.remaining)
  }
}

@Suite struct SlowDiskTests {
  private let stride = 8192
  private let latency = Duration.milliseconds(10)

  @Test func `a disk that is a hundred times as slow slows the writer down, and nothing else happens`() throws {
    let disk = SimulatedDisk()
    let writer = try JournalWriter(
      device: SlowDevice(disk, latency: latency), identity: testIdentity, stride: stride, epoch: 1,
      options: smallOptions(stride: stride))
    let producer = Producer(after: writer)
    let start = ContinuousClock.now
    try writer.append(40, of: producer)
    // Two batches of three are in flight and one waits: the others had to wait for the disk.
    #expect(ContinuousClock.now - start >= latency * 10 && writer.state.durableThrough >= 28)
    #expect(writer.alarm == .good)
    try writer.close()
    let report = try verifyJournal(device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride)
    #expect(report.isIntact && report.nextSequence == 40 && report.recordCount == 40 && report.segments.count == 10)
    withExtendedLifetime(producer) {}
  }

  @Test func `a record that comes alone is written at once, and those that follow it soon share a sync`() throws {
    let device = SlowDevice(SimulatedDisk(), latency: .zero)
    var options = smallOptions(stride: stride)
    (options.batchSpacing, options.batchByteCount, options.segmentByteCount) = (.seconds(3600), 16 * stride, 1 << 20)
    let writer = try JournalWriter(device: device, identity: testIdentity, stride: stride, epoch: 1, options: options)
    let producer = Producer(after: writer)
    func append(_ count: Int) throws {
      for _ in 0..<count { try writer.append(producer.next(payload: stride - 4096)) }
      for _ in 0..<10 { try writer.poll(wait: .milliseconds(1)) }
    }
    try append(1)
    #expect(device.batchCount == 1 && writer.state.durableThrough == 1)
    try append(15)
    #expect(device.batchCount == 1 && writer.state.durableThrough == 1)
    try append(1)
    // That many do not wait for anything.
    #expect(device.batchCount == 2 && writer.state.durableThrough == 17)
    try append(3)
    try writer.flush()
    #expect(device.batchCount == 3 && writer.state.durableThrough == 20)
  }

  @Test func `a writer that is told that the disk stalls asks again, and loses nothing`() throws {
    let disk = SimulatedDisk()
    var options = smallOptions(stride: stride)
    options.stallLimit = .milliseconds(2)
    let writer = try JournalWriter(
      device: SlowDevice(disk, latency: latency), identity: testIdentity, stride: stride, epoch: 1, options: options)
    let producer = Producer(after: writer)
    var stalls = 0
    for _ in 0..<30 {
      let slot = producer.next(durableThrough: writer.state.durableThrough)
      for attempt in 0..<1000 {
        do throws(JournalError) {
          try writer.append(slot)
          break
        } catch {
          guard case .stalled = error, attempt < 999 else { throw error }
          stalls += 1
        }
      }
    }
    #expect(stalls > 0)
    try writer.close()
    let report = try verifyJournal(device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride)
    #expect(report.isIntact && report.nextSequence == 30)
    withExtendedLifetime(producer) {}
  }
}
