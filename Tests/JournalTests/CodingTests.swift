import Host
import Rings
import Testing

@testable import Journal

/// Journals whose segments are coded into shards, and come back from them.
@Suite struct CodingTests {
  private static let (stride, perSegment) = (8192, 4)
  private static let code = ErasureCode(data: 3, parity: 2)

  private var options: JournalOptions {
    var options = smallOptions(stride: Self.stride, records: Self.perSegment)
    options.announcesRecovery = false
    options.recordsEnd = true
    return options
  }

  private func folders(_ disks: [SimulatedDisk?]) -> ShardFolders {
    var rest = disks.makeIterator()
    return ShardFolders(
      disks.indices.map { "shards \($0)" }, code: Self.code, identity: testIdentity, stride: Self.stride
    ) { (folder) throws(HostError) in
      guard let disk = rest.next(), let disk else {
        throw .system(call: "open", subject: folder, errno: Errno(rawValue: 2))
      }
      return SimulatedDevice(disk: disk)
    }
  }

  private func disks(_ count: Int = code.count) -> [SimulatedDisk] { (0..<count).map { _ in SimulatedDisk() } }

  private func writer(_ disk: SimulatedDisk, epoch: UInt64 = 1) throws -> JournalWriter {
    try JournalWriter(
      device: SimulatedDevice(disk: disk), identity: testIdentity, stride: Self.stride, epoch: epoch, options: options)
  }

  /// Writes a journal of so many records, and closes it.
  private func write(_ count: Int, _ disk: SimulatedDisk, payload: Int = 3000) throws {
    let writer = try writer(disk), producer = Producer(after: writer)
    for _ in 0..<count {
      try writer.append(1, of: producer, payload: payload)
      try writer.flush()
    }
    try writer.close()
  }

  @discardableResult private func run(
    _ disk: SimulatedDisk, _ shards: [SimulatedDisk?], _ extent: JournalCoder.Extent = .everything,
    verifies: Bool = false, writes: Bool = true, steps: Int = .max
  ) throws -> CodingReport {
    var (known, left): (Set<String>, Int) = ([], steps)
    return try JournalCoder(SimulatedDevice(disk: disk), into: folders(shards), writes: writes) { _ in
      left -= 1
      return left > 0
    }.run(extent, verifies: verifies, known: &known)
  }

  private func mend(_ disk: SimulatedDisk, _ shards: [SimulatedDisk?]) throws -> MendReport {
    try mendJournal(SimulatedDevice(disk: disk), from: folders(shards), options: options)
  }

  private func name(_ first: Int) -> String { FileName.segmentName(first: UInt64(first), copy: 0) }

  /// Every file of a disk.
  private func contents(_ disk: SimulatedDisk) -> [String: [UInt8]] {
    Dictionary(uniqueKeysWithValues: disk.names.map { ($0, disk.bytes(of: $0) ?? []) })
  }

  @Test func `Whichever devices are gone, as many as may be, a journal that is gone comes back to the byte`() throws {
    let (disk, shards) = (SimulatedDisk(), disks())
    try write(10, disk)
    let report = try run(disk, shards)
    #expect(report.coded == 3 && report.isWhole, "\(report)")
    let before = contents(disk)
    #expect(before.count == 4, "\(before.keys)")
    for gone in ErasureCodeTests.choices(Self.code.parity, of: Self.code.count) {
      let (empty, left) = (SimulatedDisk(), shards.enumerated().map { gone.contains($0) ? nil : $1 })
      let mended = try mend(empty, left)
      try #require(contents(empty) == before && mended.damages.isEmpty, "without \(gone)")
      // One of them is another, empty disk now: what it lacks is written again.
      let replaced = shards.enumerated().map { gone.contains($0) ? SimulatedDisk() : $1 }
      #expect(try run(empty, replaced).isWhole)
      for (old, new) in zip(shards, replaced) { try #require(contents(old) == contents(new), "without \(gone)") }
    }
    for gone in ErasureCodeTests.choices(Self.code.parity + 1, of: Self.code.count) {
      let (empty, left) = (SimulatedDisk(), shards.enumerated().map { gone.contains($0) ? nil : $1 })
      #expect(try mend(empty, left).copies[0].segments.isEmpty)
      #expect(!empty.names.contains { $0.hasSuffix(".segment") }, "made of too little: \(empty.names)")
      let report = try run(empty, left, writes: false)
      #expect(report.lost.map(\.segment) == [name(0), name(4), name(8)], "\(report)")
      #expect(report.lost.allSatisfy { $0.reason.contains("3 of its 5 shards are gone or damaged, and 2 may be") })
    }
  }

  @Test func `A shard of another journal is never written over, and what is missing lies beside it`() throws {
    let (disk, shards) = (SimulatedDisk(), disks())
    try write(10, disk)
    try run(disk, shards)
    let before = contents(disk)
    // In the places of two shards of each segment.
    for index in [1, 4] {
      for shard in shards[index].names where ShardName(shard) != nil {
        shards[index].overwrite(shard) { bytes in
          bytes.withUnsafeMutableBytes { bytes in
            guard var header = ShardHeader(UnsafeRawBufferPointer(bytes)) else { return }
            header.common.identity.runID = RunID(low: 7, high: 8)
            header.encode(into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<ShardHeader.byteCount]))
          }
        }
      }
    }
    let foreign = [1, 4].map { contents(shards[$0]) }
    let seen = try run(disk, shards, verifies: true, writes: false)
    #expect(seen.foreign.count == 6 && seen.faults.count == 6 && !seen.isWhole, "\(seen)")
    let report = try run(disk, shards, verifies: true)
    #expect(report.foreign.count == 6 && report.faults.count == 6 && report.isWhole, "\(report)")
    #expect(report.foreign.allSatisfy { $0.owner.contains("\(RunID(low: 7, high: 8))") })
    for (index, files) in zip([1, 4], foreign) {
      let now = contents(shards[index])
      #expect(files.allSatisfy { now[$0.key] == $0.value } && now.count > files.count)
    }
    let after = try run(disk, shards, verifies: true)
    #expect(after.foreign.count == 6 && after.faults.isEmpty && after.isWhole, "\(after)")
    // What lies beside them counts.
    let (empty, left) = (SimulatedDisk(), shards.enumerated().map { [0, 2].contains($0) ? nil : $1 })
    #expect(try mend(empty, left).damages.isEmpty)
    #expect(contents(empty) == before)
  }

  @Test func `A damaged piece counts as missing, wherever it is, and is written again`() throws {
    let (disk, shards) = (SimulatedDisk(), disks())
    try write(10, disk)
    try run(disk, shards)
    let before = contents(disk), whole = shards.map(contents)
    var random = SplitMix64(seed: 5)
    for round in 0..<60 {
      // Two shards of each segment, in any of their bytes, also header and table.
      for segment in [0, 4, 8] {
        let first = Int(random.next() % 5), second = (first + 1 + Int(random.next() % 4)) % 5
        for index in [first, second] {
          let shard = try #require(shards[index].names.first { $0.hasPrefix(name(segment)) })
          shards[index].overwrite(shard) { bytes in
            bytes[Int(random.next() % UInt64(bytes.count))] ^= UInt8(1 << (random.next() % 8))
          }
        }
      }
      let empty = SimulatedDisk()
      try #require(try mend(empty, shards).damages.isEmpty, "round \(round)")
      try #require(contents(empty) == before, "round \(round)")
      let report = try run(disk, shards, verifies: true)
      try #require(report.lost.isEmpty && report.isWhole, "round \(round): \(report)")
      let isSame = shards.map(contents) == whole
      try #require(isSame, "round \(round)")
    }
  }

  @Test func `Sealed segments are coded while a writer goes on, and an open one when it has ended`() throws {
    let (disk, shards) = (SimulatedDisk(), disks())
    let writer = try writer(disk), producer = Producer(after: writer)
    var coded = 0
    for count in 1...14 {
      try writer.append(1, of: producer)
      try writer.flush()
      coded += try run(disk, shards, .sealed).coded
      #expect(coded <= count / Self.perSegment)
    }
    #expect(coded == 3)
    try writer.close()
    #expect(try run(disk, shards).coded == 1)
    // The segment that was open grows: its set goes when there is a later one.
    let later = try self.writer(disk, epoch: 2), more = Producer(after: later)
    try later.append(3, of: more)
    try later.close()
    #expect(try run(disk, shards).coded == 2)
    #expect(shards[0].names.count { $0.hasPrefix(name(12)) } == 1, "\(shards[0].names)")
    let empty = SimulatedDisk()
    #expect(try mend(empty, shards).damages.isEmpty)
    #expect(contents(empty) == contents(disk))
  }

  @Test func `A device that fails or is full is left out, said, and filled when it is there again`() throws {
    let (disk, shards) = (SimulatedDisk(), disks())
    try write(10, disk)
    shards[1].capacity = 0
    let report = try run(disk, shards)
    #expect(report.coded == 3 && report.failures.map(\.folder) == ["shards 1"] && !report.isWhole, "\(report)")
    #expect(report.failures[0].reason.contains("No space"), "\(report.failures)")
    let gone = try run(disk, [shards[0], nil, shards[2], shards[3], shards[4]])
    #expect(gone.failures.map(\.folder) == ["shards 1"] && gone.faults.count == 3 && gone.lost.isEmpty)
    shards[1].capacity = 1 << 30
    let healed = try run(disk, shards)
    #expect(healed.isWhole && healed.coded == 0 && healed.faults.count(where: \.isHealed) == 3, "\(healed)")
    // With three of five away nothing can be made of what is left, and it says so.
    let (other, few) = (SimulatedDisk(), disks())
    try write(6, other)
    let lacking = try run(other, [nil, nil, nil, few[3], few[4]])
    #expect(lacking.lost.count == 2 && lacking.coded == 0)
    #expect(lacking.lost[0].reason == "only 2 of the 3 devices that it needs take a shard", "\(lacking.lost)")
  }

  @Test func `Damage is never coded, and what was given up is`() throws {
    let (disk, shards) = (SimulatedDisk(), disks())
    try write(10, disk)
    disk.overwrite(name(4)) { $0[4096 + Self.stride + 4200] ^= 1 }
    let report = try run(disk, shards)
    #expect(report.lost.map(\.segment) == [name(4)] && report.coded == 2, "\(report)")
    #expect(report.lost[0].reason.hasPrefix("record 5 is damaged"))
    _ = try salvageJournal(
      device: SimulatedDevice(disk: disk), identity: testIdentity, stride: Self.stride, options: options)
    #expect(try run(disk, shards).isWhole)
    let empty = SimulatedDisk()
    _ = try mend(empty, shards)
    let verified = try verifyJournal(
      device: SimulatedDevice(disk: empty), identity: testIdentity, stride: Self.stride, durableFloor: 10)
    #expect(verified.isIntact && verified.losses == [5..<6] && verified.nextSequence == 10, "\(verified)")
  }

  @Test func `A scrub makes what one folder has damaged or lost again from shards, while a writer goes on`() throws {
    let (disk, shards) = (SimulatedDisk(), disks())
    let writer = try writer(disk), producer = Producer(after: writer)
    for _ in 0..<15 {
      try writer.append(1, of: producer)
      try writer.flush()
    }
    try run(disk, shards, .sealed)
    let before = contents(disk)
    disk.overwrite(name(0)) { $0[70] ^= 1 }
    disk.overwrite(name(0)) { $0[4096 + 2 * Self.stride + 4100] ^= 1 }
    disk.remove(name(4))
    disk.overwrite(name(12)) { $0[4096 + 80] ^= 1 }
    let report = try JournalScrub(
      SimulatedDevice(disk: disk), identity: testIdentity, stride: Self.stride, shards: folders(shards),
      goesOn: { _ in true }, found: { _ in }
    ).run()
    let mended = report.findings.filter { $0.outcome == .mended && $0.isFromShards == true }
    #expect(Set(mended.map(\.segment)) == [name(0), name(4)], "\(report)")
    #expect(report.findings.filter { $0.segment == name(12) }.map(\.outcome) == [.onlyCopy], "\(report)")
    for first in [0, 4, 8] { #expect(disk.bytes(of: name(first)) == before[name(first)], "\(first)") }
    try writer.append(1, of: producer)
    try writer.flush()
  }

  @Test func `Cut off after any operation it leaves nothing wrong, and a successor goes on`() throws {
    var isDone = false
    for operations in Swift.stride(from: 0, to: 3000, by: 3) where !isDone {
      let (disk, shards) = (SimulatedDisk(), disks())
      try write(9, disk)
      let power = SimulatedPower(operations: operations)
      for shard in shards { shard.power = power }
      isDone = try run(disk, shards).isWhole
      for shard in shards {
        shard.power = nil
        shard.cutPower()
      }
      // What can be made by now is right.
      let empty = SimulatedDisk()
      _ = try mend(empty, shards)
      for name in empty.names where name.hasSuffix(".segment") {
        try #require(empty.bytes(of: name) == disk.bytes(of: name), "\(name) after \(operations)")
      }
      try #require(try run(disk, shards).isWhole, "after \(operations)")
      for shard in shards { try #require(shard.names.allSatisfy { !$0.hasSuffix(".new") }, "\(shard.names)") }
      let whole = SimulatedDisk()
      _ = try mend(whole, shards)
      try #require(contents(whole) == contents(disk), "after \(operations)")
    }
    #expect(isDone)
  }

  @Test func `Mending that is cut off after any operation can be repeated`() throws {
    let (disk, shards) = (SimulatedDisk(), disks())
    try write(9, disk)
    try run(disk, shards)
    var isDone = false
    for operations in 0..<600 where !isDone {
      let target = SimulatedDisk()
      target.power = SimulatedPower(operations: operations)
      do { isDone = try mend(target, [shards[0], nil, shards[2], nil, shards[4]]).damages.isEmpty } catch {}
      target.power = nil
      target.cutPower()
      _ = try mend(target, shards)
      try #require(contents(target) == contents(disk), "after \(operations)")
    }
    #expect(isDone)
  }

  @Test func `Ended by whoever asked for it, it leaves no shard by half`() throws {
    let (disk, shards) = (SimulatedDisk(), disks())
    try write(10, disk)
    for steps in 1...2 { #expect(try !run(disk, shards, steps: steps).isComplete) }
    #expect(try run(disk, shards).isWhole)
  }

  @Test func `Shards of another history are refused, and another journal's are none`() throws {
    let (disk, other, shards) = (SimulatedDisk(), SimulatedDisk(), disks())
    try write(5, disk)
    try write(5, other, payload: 2999)
    try run(disk, shards)
    #expect(throws: JournalError.self) { try mend(other, shards) }
    let strange = ShardFolders(
      shards.indices.map { "\($0)" }, code: Self.code, identity: testIdentity, stride: 2 * Self.stride
    ) { (folder) throws(HostError) in SimulatedDevice(disk: shards[Int(folder) ?? 0]) }
    #expect(strange.look().sets.isEmpty)
  }
}
