import Glibc
import Host
import Journal
import Rings

/// A journal on a simulated disk that is written, killed, cut off from power, filled and reopened at random; what it
/// promises is checked after each step. The same seed gives the same run.
struct Simulation {
  /// A promise that was not kept.
  struct Violation: Error, CustomStringConvertible {
    let description: String
  }

  private static let stride = 8192
  let seed: UInt64
  private let rules: JournalRules
  private let lies: Bool
  private var random: SplitMix64
  private let disk: SimulatedDisk
  /// The chain after each record that was handed over; what recovery takes back is removed.
  private var history: [UInt64] = []
  private var acknowledged: UInt64 = 0
  private var retiredBelow: UInt64 = 0
  private var epoch: UInt64 = 0
  /// The epoch of the last opening that succeeded.
  private var lastEpoch: UInt64 = 0
  private var device: SimulatedDevice?
  private var writer: JournalWriter?
  private var producer: Producer?
  private(set) var isOver = false

  /// `lies`: the disk says that it did what it did not do, so damage is expected, and has to be noticed.
  init(seed: UInt64, lies: Bool = false, rules: JournalRules = JournalRules()) {
    self.seed = seed
    self.rules = rules
    self.lies = lies
    random = SplitMix64(seed: seed)
    disk = SimulatedDisk(plan: FaultPlan.random(using: &random, lies: lies))
  }

  /// Runs `steps` steps; throws a `Violation`.
  mutating func run(steps: Int = 40) throws {
    try restart()
    for _ in 0..<steps where !isOver {
      try step()
      try note()
    }
    if !isOver { try crash(cutsPower: true) }
  }

  private mutating func step() throws {
    guard let writer, let producer else { return try restart() }
    do throws(JournalError) {
      switch random.next() % 100 {
      case 0..<60:
        for _ in 0..<random.next() % 6 {
          try writer.poll()
          try append(to: writer, from: producer)
        }
      case 60..<72: try writer.poll(wait: .milliseconds(1))
      case 72..<78: try writer.flush(timeout: .zero)
      case 78..<82: disk.capacity = 1 << 16
      case 82..<86: disk.capacity = 1 << 30
      case 86..<90: try retire(writer)
      case 90..<96: try crash(cutsPower: false)
      default: try crash(cutsPower: true)
      }
    } catch .stalled {
    } catch .full {
      disk.capacity = 1 << 30
    } catch .failed {
      try crash(cutsPower: random.next() & 1 == 0)
    } catch .host {
      try crash(cutsPower: false)
    } catch {
      throw violation("\(error)")
    }
  }

  private mutating func append(to writer: JournalWriter, from producer: Producer) throws(JournalError) {
    guard writer.state.nextSequence - writer.state.durableThrough < 30 else { return }
    let kind = EventKind.allCases[Int(random.next() % 9)]
    let payload = [0, 1, 100, 4095, 4096][Int(random.next() % 5)]
    let slot = producer.next(
      kind: kind, payload: payload, durableThrough: writer.state.durableThrough, seed: random.next())
    try writer.append(slot)
    history.append(producer.chain)
  }

  private mutating func retire(_ writer: JournalWriter) throws(JournalError) {
    retiredBelow = max(retiredBelow, random.next() % (writer.state.durableThrough + 1))
    _ = try writer.retire(below: retiredBelow)
  }

  /// What holds after every step.
  private mutating func note() throws {
    guard let state = writer?.state else { return }
    if state.durableThrough < acknowledged {
      throw violation("acknowledged \(acknowledged), then \(state.durableThrough)")
    }
    if state.durableThrough > state.nextSequence { throw violation("acknowledged more than was appended") }
    if Int(state.nextSequence) != history.count {
      throw violation("\(state.nextSequence) is next after \(history.count) records")
    }
    acknowledged = state.durableThrough
  }

  private mutating func crash(cutsPower: Bool) throws(JournalError) {
    // What was acknowledged up to this moment was promised.
    if let writer { acknowledged = max(acknowledged, writer.state.durableThrough) }
    device?.kill()
    (device, writer, producer) = (nil, nil, nil)
    if cutsPower { disk.cutPower() }
    do { try restart() } catch let error as Violation { throw .refused(folder: "", reason: error.description) } catch {
      throw .refused(folder: "", reason: "\(error)")
    }
  }

  /// Opens the journal, as often as the disk's faults make it necessary, and compares every record with what was handed
  /// over.
  private mutating func restart() throws {
    disk.capacity = 1 << 30
    for _ in 0..<20 {
      epoch += 1
      let device = SimulatedDevice(disk: disk, rules: rules)
      do throws(JournalError) {
        let writer = try JournalWriter(
          device: device, identity: testIdentity, stride: Self.stride, epoch: epoch, options: options())
        // Where recovery did not wait for a dead writer's locks, its writes land now.
        disk.landOrphans()
        (self.device, self.writer, producer) = (device, writer, Producer(after: writer, slotCount: 32))
        return try compare(writer)
      } catch .corrupted(_, let damages) {
        device.kill()
        guard lies else { throw violation("damage on an honest disk: \(damages)") }
        return try salvage()
      } catch  where error.isPassing {
      } catch {
        throw violation("\(error)")
      }
      device.kill()
      if random.next() & 1 == 0 { disk.cutPower() }
    }
    throw violation("the journal does not open")
  }

  private mutating func compare(_ writer: JournalWriter) throws(JournalError) {
    let report = writer.recovery
    let next = Int(report.nextSequence)
    guard next >= Int(acknowledged), next <= history.count + Int(epoch - lastEpoch - 1) else {
      throw .refused(
        folder: "", reason: "\(acknowledged) were acknowledged of \(history.count), and \(next) were recovered")
    }
    guard report.firstSequence <= retiredBelow else {
      throw .refused(
        folder: "", reason: "records below \(retiredBelow) may go, and \(report.firstSequence) is the first")
    }
    let reader = JournalReader(device: SimulatedDevice(disk: disk), identity: testIdentity, stride: Self.stride)
    let buffer = ReadBuffer(Self.stride)
    for sequence in report.firstSequence..<report.nextSequence {
      let header = try reader.read(sequence: sequence, into: buffer.bytes).header
      if sequence >= acknowledged, header.kind == .recovered, header.epoch > lastEpoch {
        // Left by an opening that failed after it.
        history.removeSubrange(min(Int(sequence), history.count)...)
        history.append(header.chainAfter)
      }
      guard sequence < history.count, header.chainAfter == history[Int(sequence)] else {
        throw .refused(folder: "", reason: "record \(sequence) is not what was handed over")
      }
    }
    history.removeSubrange(next...)
    if next > 0 { history.append(writer.state.chain) }
    acknowledged = writer.state.durableThrough
    lastEpoch = epoch
  }

  /// Damage that a lying disk did was noticed: what is given up is on record, and the journal goes on.
  private mutating func salvage() throws {
    isOver = true
    disk.plan.faults.removeAll()
    let given = try salvageJournal(
      device: SimulatedDevice(disk: disk), identity: testIdentity, stride: Self.stride, options: options())
    let device = SimulatedDevice(disk: disk)
    let writer = try JournalWriter(
      device: device, identity: testIdentity, stride: Self.stride, epoch: epoch + 1, options: options())
    let producer = Producer(after: writer)
    try writer.append(5, of: producer)
    try writer.flush()
    let report = try verifyJournal(
      device: SimulatedDevice(disk: disk), identity: testIdentity, stride: Self.stride, durableFloor: acknowledged)
    guard report.isIntact, !given.isEmpty, report.nextSequence == writer.state.nextSequence else {
      throw violation("after salvage of \(given): \(report)")
    }
  }

  private func options() -> JournalOptions {
    var options = smallOptions(stride: Self.stride, records: 4 + Int(seed % 5))
    options.batchByteCount = Self.stride * (1 + Int(seed / 5 % 4))
    options.batchByteCountMax = options.batchByteCount * (1 + Int(seed / 20 % 3))
    options.stallLimit = .seconds(2)
    options.rules = rules
    // A lying disk is found out by what readers know to have been durable, and by reading everything.
    if lies { options.durableFloor = acknowledged }
    options.depth = lies || seed % 3 == 0 ? .everything : .tail
    return options
  }

  private func violation(_ text: String) -> Violation {
    Violation(description: "seed \(seed)\(lies ? " (lying disk)" : ""): \(text)")
  }
}

extension FaultPlan {
  /// Three to eight faults. An honest disk fails, stops short, delays and reads badly once; a lying one does besides
  /// what it denies.
  static func random(using random: inout SplitMix64, lies: Bool) -> FaultPlan {
    var faults: [Fault] = []
    for _ in 0..<3 + random.next() % 6 {
      let operation = Operation.allCases[Int(random.next() % UInt64(Operation.allCases.count))]
      let number = Int(random.next() % 24)
      let errno = Errno(rawValue: random.next() & 1 == 0 ? EIO : ENOSPC)
      let effect: Effect =
        switch operation {
        case .write: writeEffect(using: &random, lies: lies, errno)
        case .sync: lies && random.next() & 1 == 0 ? .ignored : .error(errno)
        case .read: random.next() & 1 == 0 ? .garbled : .error(Errno(rawValue: EIO))
        case .complete: .delayed
        default: .error(errno)
        }
      // Reads are repeated once, so that of two bad ones in a row the second would be believed.
      faults.append(
        Fault(operation, operation == .read ? 3 * number : operation == .complete ? number * 2 : number, effect))
    }
    return FaultPlan(faults, seed: random.next())
  }

  private static func writeEffect(using random: inout SplitMix64, lies: Bool, _ errno: Errno) -> Effect {
    switch random.next() % (lies ? 6 : 3) {
    case 0: .error(errno)
    case 1: .short(Int(random.next() % 6) * 4096)
    case 2: .short(Int(random.next() % 20000))
    case 3: .torn(Int(random.next() % 20000))
    case 4: .lost
    default: .misdirected(4096 * (1 + Int(random.next() % 6)))
    }
  }
}
