import Host
import Journal
import Rings

/// A journal with a mirror, on two simulated disks of one machine: it is written, killed, cut off from power between
/// any two operations of the disks, loses one disk, and has one disk full or damaged. What was acknowledged has to be
/// there as long as one disk has it. The same seed gives the same run.
struct MirrorSimulation {
  typealias Violation = Simulation.Violation

  static let stride = 8192
  let seed: UInt64
  private let rules: JournalRules
  private var random: SplitMix64
  private var disks: [SimulatedDisk]
  private var devices: [SimulatedDevice] = []
  private var pair: MirroredDevice?
  private var writer: JournalWriter?
  private var producer: Producer?
  private var history: [UInt64] = []
  private var acknowledged: UInt64 = 0
  private var epoch: UInt64 = 0
  /// The copy that was damaged and not mended since.
  private var damaged: Int?
  /// Whether that damage is all in sealed segments, so that a scrub mends all of it.
  private var isScrubbable = false
  /// The segments that were damaged so and not mended since.
  private var rotten: Set<String> = []
  /// What happened, for messages.
  private(set) var counts: [String: Int] = [:]

  init(seed: UInt64, rules: JournalRules = JournalRules()) {
    (self.seed, self.rules) = (seed, rules)
    random = SplitMix64(seed: seed)
    disks = []
    disks = (0..<2).map { _ in SimulatedDisk(plan: FaultPlan.random(using: &random, lies: false)) }
  }

  /// Runs `steps` steps; throws a `Violation`.
  mutating func run(steps: Int = 30) throws {
    try restart()
    for _ in 0..<steps {
      try step()
      try note()
    }
    try crash()
  }

  private mutating func step() throws {
    guard let writer, let producer else { return try restart() }
    let choice = random.next() % 100
    if choice >= 94 { return try crash() }
    if choice >= 89 { return try scrub() }
    if (75..<82).contains(choice) { return try rot() }
    do throws(JournalError) {
      switch choice {
      case 0..<60:
        for _ in 0..<random.next() % 6 {
          try writer.poll()
          guard writer.state.nextSequence - writer.state.durableThrough < 30 else { continue }
          let payload = [0, 1, 4095, 4096][Int(random.next() % 4)]
          try writer.append(
            producer.next(payload: payload, durableThrough: writer.state.durableThrough, seed: random.next()))
          history.append(producer.chain)
        }
      case 60..<72: try writer.poll(wait: .milliseconds(1))
      case 72..<75: try writer.flush(timeout: .zero)
      case 82..<84: disks[Int(random.next() % 2)].capacity = 1 << 16
      case 84..<87: for disk in disks { disk.capacity = 1 << 30 }
      default: schedulePowerCut()
      }
    } catch {
      switch error {
      case .stalled: return
      case .full: for disk in disks { disk.capacity = 1 << 30 }
      case .failed, .host: try crash()
      default: throw violation("\(error)")
      }
    }
  }

  /// Damages one copy, and mends it before the other one may be lost: both would be bad then.
  private mutating func rot() throws {
    try damageSealed()
    guard !rotten.isEmpty else { return }
    try scrub()
    if !rotten.isEmpty { try crash() }
  }

  /// Bits of one copy change in segments that are full and durable, while the writer goes on.
  private mutating func damageSealed() throws(JournalError) {
    guard pair?.loss == nil, damaged == nil || isScrubbable, lost == nil else { return }
    let side = damaged ?? Int(random.next() % 2)
    let report = try verifyJournal(
      device: SimulatedDevice(disk: disks[side]), identity: testIdentity, stride: Self.stride, depth: .tail)
    let firsts = report.segments.dropLast().filter { name in
      (UInt64(name.prefix(20)) ?? 0) + UInt64(segmentRecords) <= report.durableThrough
    }
    guard let name = firsts.last else { return }
    counts["rotten", default: 0] += 1
    (damaged, isScrubbable) = (side, true)
    rotten.insert(name)
    disks[side].overwrite(name) { bytes in
      for _ in 0..<3 { bytes[Int(random.next() % UInt64(bytes.count))] ^= 1 << UInt8(random.next() % 8) }
    }
  }

  /// Reads all of both again while the writer goes on; where it came to its end, sealed segments are whole again.
  private mutating func scrub() throws {
    let devices = disks.map { SimulatedDevice(disk: $0) }
    defer { for device in devices { device.kill() } }
    let report: ScrubReport
    do throws(JournalError) {
      report = try JournalScrub(
        makePair(devices), identity: testIdentity, stride: Self.stride, goesOn: { _ in true }, found: { _ in }
      ).run()
    } catch .host {
      return
    } catch {
      throw violation("scrub: \(error)")
    }
    // Nothing can be read any more.
    if disks[0].power?.operationsLeft == 0 { return }
    counts["scrubbed", default: 0] += report.findings.count { $0.outcome == .mended }
    if report.findings.contains(where: { $0.outcome == .lost }) { throw violation("both copies are bad: \(report)") }
    rotten.subtract(report.findings.filter { $0.outcome == .mended }.compactMap(\.segment))
    let isMended = report.findings.allSatisfy { $0.outcome == .mended }
    if report.isComplete, isMended, isScrubbable, rotten.isEmpty, lost == nil { (damaged, isScrubbable) = (nil, false) }
  }

  /// Power ends in the middle of what the disks do next.
  private mutating func schedulePowerCut() {
    let power = SimulatedPower(operations: Int(random.next() % 60))
    for disk in disks { disk.power = power }
  }

  private mutating func note() throws {
    guard let writer else { return }
    if writer.state.durableThrough < acknowledged { throw violation("acknowledged \(acknowledged), then less") }
    acknowledged = writer.state.durableThrough
  }

  /// The copy that the journal went on without, as the other one says; nil where both have everything.
  private var lost: Int? {
    if let loss = pair?.loss { return loss.side }
    return disks.firstIndex { $0.names.contains("alone") }.map { 1 - $0 }
  }

  private mutating func crash() throws {
    try note()
    let isPowerOut = disks[0].power?.operationsLeft == 0
    for device in devices { device.kill() }
    (devices, pair, writer, producer) = ([], nil, nil, nil)
    if isPowerOut || random.next() & 1 == 0 { for disk in disks { disk.cutPower() } }
    for disk in disks { (disk.power, disk.capacity) = (nil, 1 << 30) }
    try strikeDisk()
    try restart()
  }

  /// One disk, of which the other has everything, is replaced by an empty one, or some of its bits change.
  private mutating func strikeDisk() throws {
    let isMarked = disks.map { $0.names.contains("alone") }
    let side = damaged ?? lost ?? Int(random.next() % 2)
    // Damage of the only copy that has everything is more than a mirror can stand.
    if isMarked[side] { return }
    for disk in disks { disk.landOrphans() }
    switch random.next() % 4 {
    case 0:
      counts["lost", default: 0] += 1
      (damaged, isScrubbable) = (side, false)
      disks[side] = SimulatedDisk()
    case 1:
      counts["flipped", default: 0] += 1
      (damaged, isScrubbable) = (side, false)
      for name in disks[side].names where name.hasSuffix(".segment") {
        disks[side].overwrite(name) { bytes in
          for _ in 0..<3 where !bytes.isEmpty {
            bytes[Int(random.next() % UInt64(bytes.count))] ^= 1 << UInt8(random.next() % 8)
          }
        }
      }
    default: return
    }
    if random.next() & 1 == 0 { try mend() }
  }

  /// Repeated where a fault of the disks cut it off.
  private mutating func mend() throws {
    for _ in 0..<20 {
      let devices = disks.map { SimulatedDevice(disk: $0) }
      defer { for device in devices { device.kill() } }
      do throws(JournalError) {
        let report = try mendJournal(try makePair(devices), options: options())
        guard report.damages.isEmpty else { throw .corrupted(folder: "", damages: report.damages) }
        counts["mended", default: 0] += 1
        (damaged, isScrubbable, rotten) = (nil, false, [])
        return
      } catch .host {
      } catch {
        throw violation("mend: \(error)")
      }
    }
    throw violation("the journal is not mended")
  }

  private func makePair(_ devices: [SimulatedDevice]) throws(JournalError) -> MirroredDevice {
    var rest = devices.makeIterator()
    do throws(HostError) {
      return try MirroredDevice(
        ["first", "second"], identity: testIdentity, stride: Self.stride, rules: rules
      ) { (_) throws(HostError) in
        guard let device = rest.next() else { preconditionFailure("no device is left") }
        return device
      }
    } catch { throw .host(error) }
  }

  private mutating func restart() throws {
    for _ in 0..<20 {
      // As who resumes a run does; what goes on alone may be what was damaged.
      if let damaged, disks[damaged].names.contains("alone") { try mend() }
      epoch += 1
      let devices = disks.map { SimulatedDevice(disk: $0, rules: rules) }
      do throws(JournalError) {
        let pair = try makePair(devices)
        let writer = try JournalWriter(
          device: pair, identity: testIdentity, stride: Self.stride, epoch: epoch, options: options())
        // Nothing but a mend reads the other copy's record for one that is damaged in the one that goes on alone.
        if let damaged, pair.loss?.side == 1 - damaged { throw .host(.regionTaken(name: "")) }
        (self.devices, self.pair, self.writer) = (devices, pair, writer)
        producer = Producer(after: writer, slotCount: 32)
        if pair.loss != nil { counts["degraded", default: 0] += 1 }
        return try compare(writer)
      } catch  where error.isPassing {
      } catch {
        throw violation("\(error)")
      }
      for device in devices { device.kill() }
    }
    throw violation("the journal does not open")
  }

  /// Every record that was acknowledged is there, in both copies, or in the one that is good.
  private mutating func compare(_ writer: JournalWriter) throws(JournalError) {
    let next = Int(writer.recovery.nextSequence)
    guard next >= Int(acknowledged), next <= history.count else {
      throw .refused(folder: "", reason: "\(acknowledged) acknowledged of \(history.count), \(next) recovered")
    }
    let buffer = ReadBuffer(Self.stride)
    let pair = try makePair(disks.map { SimulatedDevice(disk: $0) })
    let both = JournalReader(device: pair, identity: testIdentity, stride: Self.stride)
    for sequence in 0..<UInt64(next) {
      let header = try both.read(sequence: sequence, into: buffer.bytes).header
      guard header.chainAfter == history[Int(sequence)] else {
        throw .refused(folder: "", reason: "record \(sequence) is not what was handed over")
      }
    }
    history.removeSubrange(next...)
    acknowledged = writer.state.durableThrough
    try compareCopies(through: UInt64(next))
  }

  /// Each copy that is kept says the same alone, but for damage that nobody has looked for yet.
  private func compareCopies(through next: UInt64) throws(JournalError) {
    for side in 0..<2 where side != lost && side != damaged {
      let report = try verifyJournal(
        device: SimulatedDevice(disk: disks[side]), identity: testIdentity, stride: Self.stride,
        durableFloor: acknowledged)
      guard report.isIntact, report.nextSequence == next else {
        throw .refused(folder: "", reason: "copy \(side) alone: \(report)")
      }
    }
  }

  private var segmentRecords: Int { 4 + Int(seed % 5) }

  private func options() -> JournalOptions {
    var options = smallOptions(stride: Self.stride, records: segmentRecords)
    options.batchByteCount = Self.stride * (1 + Int(seed / 5 % 4))
    options.batchByteCountMax = options.batchByteCount * (1 + Int(seed / 20 % 3))
    options.stallLimit = .seconds(2)
    options.announcesRecovery = false
    options.rules = rules
    options.depth = seed % 3 == 0 ? .everything : .tail
    return options
  }

  private func violation(_ text: String) -> Violation { Violation(description: "seed \(seed): \(text)") }
}
