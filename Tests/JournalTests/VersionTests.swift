import CLinux
import Journal
import Testing

/// Files of another version of Slipring, which are whole and not this one's to judge.
@Suite struct VersionTests {
  private let stride = 8192

  /// A journal whose first segment says that its layout is another.
  private func disk(layout: UInt16) throws -> SimulatedDisk {
    let disk = SimulatedDisk()
    let writer = try JournalWriter(
      device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride, epoch: 1,
      options: smallOptions(stride: stride))
    let producer = Producer(after: writer)
    try writer.append(3, of: producer)
    try writer.close()
    withExtendedLifetime(producer) {}
    disk.overwrite("00000000000000000000.segment") { bytes in
      withUnsafeBytes(of: layout.littleEndian) { for (index, byte) in $0.enumerated() { bytes[12 + index] = byte } }
      let header = Array(bytes[8..<124])
      let crc = header.withUnsafeBytes { clinux_crc32c(0, $0.baseAddress, $0.count) }
      withUnsafeBytes(of: crc.littleEndian) { for (index, byte) in $0.enumerated() { bytes[124 + index] = byte } }
    }
    return disk
  }

  @Test func `a segment of a newer version is refused by name, and nothing is derived in its place`() throws {
    let refusal = JournalError.refused(
      folder: "simulated",
      reason: "00000000000000000000.segment was written by a newer version (layout 2); this one reads 1")
    let disk = try disk(layout: 2)
    #expect(throws: refusal) {
      _ = try verifyJournal(device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride)
    }
    #expect(throws: refusal) {
      _ = try salvageJournal(device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride)
    }
    #expect(throws: refusal) {
      _ = try JournalWriter(device: SimulatedDevice(disk: disk), identity: testIdentity, stride: stride, epoch: 2)
    }
    #expect(
      try verifyJournal(device: SimulatedDevice(disk: self.disk(layout: 1)), identity: testIdentity, stride: stride)
        .isIntact)
  }
}
