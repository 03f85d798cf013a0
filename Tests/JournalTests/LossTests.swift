import Foundation
import Journal
import Rings
import Testing

/// Losses on record, on real files, whose descriptors the system gives out again.
@Suite struct LossTests {
  private let stride = 8192

  private var options: JournalOptions { smallOptions(stride: stride) }

  /// Options of those who know that so many records were durable.
  private func options(floor: UInt64) -> JournalOptions {
    var options = options
    options.durableFloor = floor
    return options
  }

  /// Writes 14 records, four a segment, and damages some of them.
  private func write(to path: String, damaging records: Range<Int>) throws {
    let writer = try JournalWriter(
      device: try PwriteDevice(folder: path), identity: testIdentity, stride: stride, epoch: 1, options: options)
    let producer = Producer(after: writer)
    try writer.append(14, of: producer)
    try writer.close()
    withExtendedLifetime(producer) {}
    for record in records {
      let first = "\(record / 4 * 4)"
      let name = String(repeating: "0", count: 20 - first.count) + first + ".segment"
      let file = try FileHandle(forUpdating: URL(filePath: "\(path)/\(name)"))
      try file.seek(toOffset: UInt64(4096 + record % 4 * stride + 64))
      try file.write(contentsOf: Data([0xAA, 0x55]))
      try file.close()
    }
  }

  private func salvage(_ path: String) throws -> [Range<UInt64>] {
    try salvageJournal(
      device: try PwriteDevice(folder: path), identity: testIdentity, stride: stride, options: options(floor: 14)
    ).map { $0.lowerBound..<$0.upperBound }
  }

  private func verify(_ path: String, _ depth: RecoveryDepth = .everything) throws -> RecoveryReport {
    try verifyJournal(
      device: try PwriteDevice(folder: path), identity: testIdentity, stride: stride, durableFloor: 14, depth: depth)
  }

  @Test(arguments: [0, 1, 4, 6, 9]) func `a journal is whole again after any of its records was given up`(record: Int)
    throws
  {
    let folder = try TestFolder()
    defer { withExtendedLifetime(folder) {} }
    let path = folder.path + "/journal"
    try write(to: path, damaging: record..<record + 1)
    let lost = UInt64(record)..<UInt64(record + 1)
    #expect(try salvage(path) == [lost])
    for _ in 0..<2 {
      let report = try verify(path)
      #expect(report.isIntact && report.losses == [lost] && report.nextSequence == 14)
    }
    let successor = try JournalWriter(
      device: try PwriteDevice(folder: path), identity: testIdentity, stride: stride, epoch: 2,
      options: options(floor: 14))
    // The first record of an epoch says so.
    #expect(successor.state.nextSequence == 15)
    try successor.close()
  }

  @Test(arguments: [0, 3, 4, 6, 8, 11, 12], [nil, 4, 8, 12])
  func `a journal goes on behind a loss that reaches over segments to its end`(first: Int, missing: Int?) throws {
    let folder = try TestFolder()
    defer { withExtendedLifetime(folder) {} }
    let path = folder.path + "/journal"
    try write(to: path, damaging: first..<14)
    if let missing {
      guard missing >= first else { return }
      let name = "\(missing)"
      try FileManager.default.removeItem(
        atPath: "\(path)/\(String(repeating: "0", count: 20 - name.count))\(name).segment")
    }
    let lost = try salvage(path)
    #expect(lost.first?.lowerBound == UInt64(first) && lost.last?.upperBound == 14)
    #expect(zip(lost, lost.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound }, "\(lost)")
    #expect(try verify(path, .tail).isIntact && verify(path).isIntact && verify(path, .tail).nextSequence == 14)
    let successor = try JournalWriter(
      device: try PwriteDevice(folder: path), identity: testIdentity, stride: stride, epoch: 2,
      options: options(floor: 14))
    try successor.append(kind: .end) {
      $0[0] = 7
      return 1
    }
    #expect(successor.state.durableThrough == 16)
    try successor.close()
    #expect(try verify(path).isIntact && verify(path, .tail).isIntact && verify(path).nextSequence == 16)
    #expect(try verify(path).losses == lost)
  }
}
