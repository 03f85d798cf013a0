import Foundation
import Journal
import Testing

/// Losses on record, on real files, whose descriptors the system gives out again.
@Suite struct LossTests {
  private let stride = 8192

  @Test(arguments: [0, 1, 4, 6, 9]) func `a journal is whole again after any of its records was given up`(record: Int)
    throws
  {
    let folder = try TestFolder()
    defer { withExtendedLifetime(folder) {} }
    let path = folder.path + "/journal"
    let options = smallOptions(stride: stride)
    let writer = try JournalWriter(
      device: try PwriteDevice(folder: path), identity: testIdentity, stride: stride, epoch: 1, options: options)
    let producer = Producer(after: writer)
    try writer.append(14, of: producer)
    try writer.close()
    withExtendedLifetime(producer) {}
    let name = String(repeating: "0", count: 19) + "\(record / 4 * 4).segment"
    let file = try FileHandle(forUpdating: URL(filePath: "\(path)/\(name)"))
    try file.seek(toOffset: UInt64(4096 + record % 4 * stride + 64))
    try file.write(contentsOf: Data([0xAA, 0x55]))
    try file.close()
    var floor = options
    floor.durableFloor = 14
    let given = try salvageJournal(
      device: try PwriteDevice(folder: path), identity: testIdentity, stride: stride, options: floor)
    let lost = UInt64(record)..<UInt64(record + 1)
    #expect(given.map { $0.lowerBound..<$0.upperBound } == [lost])
    for _ in 0..<2 {
      let report = try verifyJournal(device: try PwriteDevice(folder: path), identity: testIdentity, stride: stride)
      #expect(report.isIntact && report.losses == [lost] && report.nextSequence == 14)
    }
    let successor = try JournalWriter(
      device: try PwriteDevice(folder: path), identity: testIdentity, stride: stride, epoch: 2, options: floor)
    // The first record of an epoch says so.
    #expect(successor.state.nextSequence == 15)
    try successor.close()
  }
}
