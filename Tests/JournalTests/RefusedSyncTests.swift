import Glibc
import Host
import Journal
import Testing

/// A journal with a mirror that is opened again while the disk of one copy is read and takes nothing more.
@Suite struct RefusedSyncTests {
  private static let stride = 8192
  private static let count = 20

  private func pair(_ disks: [SimulatedDisk]) throws(HostError) -> MirroredDevice {
    try MirroredDevice(["0", "1"], identity: testIdentity, stride: Self.stride) { (folder) throws(HostError) in
      SimulatedDevice(disk: disks[folder == "0" ? 0 : 1])
    }
  }

  private func writer(_ pair: MirroredDevice, epoch: UInt64) throws(JournalError) -> JournalWriter {
    var options = smallOptions(stride: Self.stride)
    options.announcesRecovery = false
    return try JournalWriter(
      device: pair, identity: testIdentity, stride: Self.stride, epoch: epoch, options: options)
  }

  private func append(_ count: Int, _ writer: JournalWriter) throws(JournalError) {
    let producer = Producer(after: writer)
    for _ in 0..<count {
      try writer.append(1, of: producer)
      try writer.poll(wait: .milliseconds(1))
    }
    try writer.flush(timeout: .seconds(5))
  }

  /// A journal on two disks, whose writer was killed; from here on `side` fails each sync.
  private func disks(refusing side: Int) throws -> [SimulatedDisk] {
    let disks = [SimulatedDisk(), SimulatedDisk()], devices = disks.map { SimulatedDevice(disk: $0) }
    var rest = devices[...]
    let pair = try MirroredDevice(["0", "1"], identity: testIdentity, stride: Self.stride) { (_) throws(HostError) in
      rest.removeFirst()
    }
    try append(Self.count, writer(pair, epoch: 1))
    for device in devices { device.kill() }
    refuse(disks[side])
    return disks
  }

  private func refuse(_ disk: SimulatedDisk) {
    disk.plan = FaultPlan(
      [FaultPlan.Operation.sync, .syncFolder].flatMap { operation in
        (0..<100).map { .init(operation, disk.count(operation) + $0, .error(Errno(rawValue: EROFS))) }
      })
  }

  @Test(arguments: 0..<2) func `the journal goes on in the other one, which has everything`(_ side: Int) throws {
    let disks = try disks(refusing: side), pair = try pair(disks), writer = try writer(pair, epoch: 2)
    #expect(pair.loss?.side == side)
    #expect(writer.state.durableThrough == Self.count, "\(writer.state)")
    try append(Self.count, writer)
    #expect(writer.state.durableThrough == 2 * Self.count && writer.alarm == .good)
    let report = try verifyJournal(
      device: SimulatedDevice(disk: disks[1 - side]), identity: testIdentity, stride: Self.stride)
    #expect(report.isIntact && report.nextSequence == 2 * UInt64(Self.count))
  }

  @Test func `an empty disk takes nothing over from one that takes nothing more`() throws {
    let disks = try disks(refusing: 0), pair = try pair([disks[0], SimulatedDisk()])
    #expect(throws: JournalError.self) { try writer(pair, epoch: 2) }
    #expect(pair.loss == nil)
  }
}
