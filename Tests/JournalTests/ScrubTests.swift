import Host
import Journal
import Testing

/// Journals that are read again, and mended, while a writer goes on in them.
@Suite struct ScrubTests {
  private static let (stride, perSegment) = (8192, 4)

  private var options: JournalOptions {
    var options = smallOptions(stride: Self.stride, records: Self.perSegment)
    options.announcesRecovery = false
    return options
  }

  private func device(_ disks: [SimulatedDisk]) throws(HostError) -> any JournalDevice {
    if disks.count == 1 { return SimulatedDevice(disk: disks[0]) }
    var rest = disks.makeIterator()
    return try MirroredDevice(["first", "second"], identity: testIdentity, stride: Self.stride) {
      (_) throws(HostError) in
      guard let disk = rest.next() else { preconditionFailure("no disk is left") }
      return SimulatedDevice(disk: disk)
    }
  }

  private func writer(_ disks: [SimulatedDisk], epoch: UInt64 = 1) throws -> JournalWriter {
    try JournalWriter(
      device: device(disks), identity: testIdentity, stride: Self.stride, epoch: epoch, options: options)
  }

  /// Writes so many records, of which the last one says that all before it are durable.
  private func write(_ count: Int, to writer: JournalWriter) throws -> Producer {
    let producer = Producer(after: writer)
    try writer.append(count - 1, of: producer)
    try writer.flush()
    try writer.append(1, of: producer)
    try writer.flush()
    return producer
  }

  private func scrub(_ disks: [SimulatedDisk], steps: Int = .max) throws -> ScrubReport {
    var left = steps
    return try JournalScrub(
      device(disks), identity: testIdentity, stride: Self.stride,
      goesOn: { _ in
        left -= 1
        return left > 0
      }, found: { _ in }
    ).run()
  }

  private func name(_ first: Int) -> String {
    let digits = "\(first)"
    return String(repeating: "0", count: 20 - digits.count) + digits + ".segment"
  }

  /// Changes a bit of a record's header, or of its payload.
  private func flip(_ record: Int, _ disk: SimulatedDisk, payload: Bool = false) {
    disk.overwrite(name(record / Self.perSegment * Self.perSegment)) { bytes in
      bytes[4096 + record % Self.perSegment * Self.stride + (payload ? 4096 + 9 : 70)] ^= 0x10
    }
  }

  private func isWhole(_ disk: SimulatedDisk, _ count: UInt64) throws -> Bool {
    let report = try verifyJournal(
      device: SimulatedDevice(disk: disk), identity: testIdentity, stride: Self.stride, durableFloor: count)
    return report.isIntact && report.nextSequence == count
  }

  @Test func `What one copy has damaged is mended from the other one while the writer goes on`() throws {
    let disks = [SimulatedDisk(), SimulatedDisk()]
    let writer = try writer(disks)
    let producer = Producer(after: writer)
    for round in 0..<6 {
      try writer.append(Self.perSegment, of: producer)
      try writer.flush()
      guard round > 1 else { continue }
      let first = (round - 2) * Self.perSegment
      flip(first, disks[0])
      flip(first + 2, disks[1], payload: true)
      flip(first + 3, disks[0], payload: true)
      disks[1].overwrite(name(first)) { $0[40] ^= 1 }
      let report = try scrub(disks)
      #expect(report.isComplete && report.findings.count == 4)
      #expect(report.findings.allSatisfy { $0.outcome == .mended && $0.segment == name(first) }, "\(report.findings)")
      #expect(Set(report.findings.map(\.record)) == [nil, UInt64(first), UInt64(first + 2), UInt64(first + 3)])
      #expect(try scrub(disks).findings.isEmpty)
    }
    try writer.close()
    for disk in disks {
      #expect(try isWhole(disk, 24))
      #expect(disk.names.allSatisfy { $0.hasSuffix(".segment") }, "\(disk.names)")
    }
  }

  @Test func `Of one copy damage is told, and nothing is changed`() throws {
    let disk = SimulatedDisk()
    _ = try write(12, to: writer([disk]))
    flip(2, disk)
    flip(9, disk, payload: true)
    let bytes = disk.names.map { disk.bytes(of: $0) }
    let report = try scrub([disk])
    #expect(report.findings.map(\.record) == [2, 9] && report.findings.allSatisfy { $0.outcome == .onlyCopy })
    #expect(report.findings.map(\.finding) == [.torn, .payload])
    #expect(disk.names.map { disk.bytes(of: $0) } == bytes)
  }

  @Test func `What both have damaged is told as lost, and no copy is made of it`() throws {
    let disks = [SimulatedDisk(), SimulatedDisk()]
    _ = try write(13, to: writer(disks))
    for disk in disks { flip(1, disk) }
    flip(2, disks[1])
    let bytes = disks.map { $0.bytes(of: name(0)) }
    let report = try scrub(disks)
    #expect(report.findings.filter { $0.record == 1 }.map(\.outcome) == [.lost, .lost])
    #expect(report.findings.filter { $0.record == 2 }.map(\.outcome) == [.mendable])
    #expect(disks.map { $0.bytes(of: name(0)) } == bytes)
  }

  @Test(arguments: [1, 2]) func `What no copy has any more is told, and what retention removed is not`(
    copies: Int
  ) throws {
    let disks = (0..<copies).map { _ in SimulatedDisk() }
    var options = options
    options.recordsEnd = true
    let writer = try JournalWriter(
      device: device(disks), identity: testIdentity, stride: Self.stride, epoch: 1, options: options)
    _ = try write(18, to: writer)
    _ = try writer.retire(below: 5)
    #expect(try scrub(disks).findings.isEmpty)
    for disk in disks { disk.remove(name(8)) }
    let findings = try scrub(disks).findings
    #expect(findings.map(\.finding) == Array(repeating: .missing, count: copies))
    #expect(findings.allSatisfy { $0.record == 8 && $0.through == 11 && $0.segment == nil })
    #expect(findings.allSatisfy { $0.outcome == (copies == 1 ? .onlyCopy : .lost) })
    // A journal that was closed says itself how far it was.
    try writer.close()
    for disk in disks { for name in disk.names where name.hasSuffix(".segment") { disk.remove(name) } }
    let all = try scrub(disks).findings
    #expect(all.count == copies && all.allSatisfy { $0.record == 4 && $0.through == 17 }, "\(all)")
    #expect(all.first?.description.contains("records 4 to 17: no segment holds it") == true, "\(all)")
  }

  @Test func `Records in a row that are damaged alike are one finding`() throws {
    let disk = SimulatedDisk()
    _ = try write(13, to: writer([disk]))
    for record in [0, 1, 2, 5, 6] { flip(record, disk) }
    flip(7, disk, payload: true)
    let findings = try scrub([disk]).findings
    #expect(findings.map(\.record) == [0, 5, 7] && findings.map(\.through) == [2, 6, nil])
    #expect(findings[0].description.contains("records 0 to 2: "), "\(findings)")
  }

  @Test func `A copy that is not there is named as not read`() throws {
    let disks = [SimulatedDisk(), SimulatedDisk()]
    _ = try write(13, to: writer(disks))
    #expect(try scrub(disks).unread == [])
    let alone = try MirroredDevice(["first", "second"], identity: testIdentity, stride: Self.stride) {
      (folder) throws(HostError) in
      guard folder == "first" else { throw .system(call: "open", subject: folder, errno: Errno(rawValue: 2)) }
      return SimulatedDevice(disk: disks[0])
    }
    let report = try JournalScrub(
      alone, identity: testIdentity, stride: Self.stride, goesOn: { _ in true }, found: { _ in }
    ).run()
    #expect(report.unread == ["second"] && report.findings.isEmpty && report.isComplete)
  }

  @Test func `The segment that is written, what was removed, and a copy that is lost are left alone`() throws {
    let disks = [SimulatedDisk(), SimulatedDisk()]
    let writer = try writer(disks)
    let producer = try write(18, to: writer)
    flip(16, disks[1])
    #expect(try scrub(disks).findings.map(\.outcome) == [.mendable])
    flip(16, disks[1])
    _ = try writer.retire(below: 9)
    #expect(try scrub(disks).findings.isEmpty)
    // The second disk is full: the journal goes on without it.
    disks[1].capacity = 0
    try writer.append(12, of: producer)
    try writer.flush()
    #expect(disks[0].names.contains("alone"))
    disks[1].capacity = 1 << 30
    flip(12, disks[1])
    #expect(try scrub(disks).findings.isEmpty)
    flip(12, disks[0])
    #expect(try scrub(disks).findings.map(\.outcome) == [.onlyCopy])
  }

  @Test func `Cut off after any operation it has lost nothing, and the next one mends`() throws {
    var isDone = false
    for operations in 0..<400 where !isDone {
      let disks = [SimulatedDisk(), SimulatedDisk()]
      _ = try write(13, to: writer(disks))
      flip(1, disks[0])
      flip(2, disks[1])
      let power = SimulatedPower(operations: operations)
      for disk in disks { disk.power = power }
      do {
        let report = try scrub(disks)
        isDone = report.isComplete && report.findings.allSatisfy { $0.outcome == .mended }
      } catch {}
      for disk in disks {
        disk.power = nil
        disk.cutPower()
      }
      let both = try verifyJournal(
        device: device(disks), identity: testIdentity, stride: Self.stride, durableFloor: 13)
      try #require(both.isIntact && both.nextSequence == 13, "after \(operations): \(both)")
      let report = try scrub(disks)
      try #require(report.findings.allSatisfy { $0.outcome == .mended }, "after \(operations): \(report.findings)")
      for disk in disks { try #require(try isWhole(disk, 13), "after \(operations)") }
    }
    #expect(isDone)
  }

  @Test func `Ended by whoever asked for it, it mends nothing by half`() throws {
    for steps in 1..<40 {
      let disks = [SimulatedDisk(), SimulatedDisk()]
      _ = try write(13, to: writer(disks))
      flip(1, disks[0])
      let report = try scrub(disks, steps: steps)
      #expect(report.findings.allSatisfy { $0.outcome == .mended || $0.outcome == .mendable && !report.isComplete })
      #expect(try isWhole(disks[0], 13) == report.findings.contains { $0.outcome == .mended })
      #expect(try isWhole(disks[1], 13))
    }
  }
}
