import Alarms
import Host

/// Something that goes wrong in a run at night.
package enum RunFault: String, CaseIterable, Codable, Sendable {
  /// A worker becomes slower over some seconds, down to a tenth.
  case slowWorker = "slow worker"
  /// The disk becomes slower than the detector.
  case slowDisk = "slow disk"
  /// Somebody else fills the disk.
  case fillingDisk = "filling disk"
  /// The detector sends less and less.
  case slowingDetector = "slowing detector"
  /// The beam goes, in part or whole.
  case lostBeam = "lost beam"
  /// Rows of the detector become dark.
  case deadRows = "dead rows"
}

/// The figures of a run as a model makes them, a look each tenth of a second: a detector, a queue before the workers, a
/// queue before the disk, a beam that decays and is topped up, stalls of the machine. It is no run: what it is for is
/// to try many faults and long nights in seconds.
struct SimulatedRun {
  /// Seconds until the fault begins.
  let onset: Double
  let limits: [Trigger.LimitName: Double]
  private let fault: RunFault?
  private var random: SplitMix64
  /// Projections a second; those that workers and disk take.
  private let (rate, workers, disk): (Double, Double, Double)
  private let (counts, decay, noise): (Double, Double, Double)
  /// Seconds that the fault takes to grow, and how bad it becomes, 0…1.
  private let (growth, depth): (Double, Double)
  private let (filling, freeBytes): (Double, Double)
  private var (lag, buffered, taken): (Double, Double, Double) = (0, 0, 0)
  private var stalls = (workers: 0.0, disk: 0.0)
  private var stalled = 0.0
  private var looks = 0
  /// When the product's own rules react, in seconds; nil until then. Of a detector, a beam and rows it has none before
  /// the end of the scan.
  private(set) var ownReaction: Double?

  private static let (lagMax, bufferSeconds, segment) = (48.0, 8.0, 268_435_456.0)
  private static let (period, rows) = (0.1, 2048.0)

  init(_ fault: RunFault?, seed: UInt64) {
    var random = SplitMix64(
      seed: seed &* 0x9E37_79B9 &+ UInt64(fault.map { RunFault.allCases.firstIndex(of: $0)! + 1 } ?? 0))
    func uniform(_ range: ClosedRange<Double>) -> Double {
      range.lowerBound + (range.upperBound - range.lowerBound) * Double(random.next() >> 11) / 9_007_199_254_740_992
    }
    self.fault = fault
    onset = uniform(40...120)
    rate = uniform(10...200)
    (workers, disk) = (rate * uniform(1.2...2), rate * uniform(1.5...4))
    (counts, decay, noise) = (uniform(300...30_000), uniform(0...0.05), uniform(0.001...0.01))
    (growth, depth) = (uniform(1...30), uniform(0.3...1))
    (filling, freeBytes) = (uniform(5e7...1e9), uniform(2e10...2e11))
    limits = [.lagMax: Self.lagMax, .diskBuffer: Self.bufferSeconds * rate]
    self.random = random
  }

  private mutating func uniform() -> Double { Double(random.next() >> 11) / 9_007_199_254_740_992 }
  private mutating func normal() -> Double { (0..<12).reduce(-6) { sum, _ in sum + uniform() } }

  /// How far the fault has grown, 0…1.
  private func extent(_ kind: RunFault, _ time: Double) -> Double {
    kind == fault ? min(max(0, (time - onset) / growth), 1) : 0
  }

  /// The next look, and its time in seconds.
  mutating func next() -> (time: Double, sample: GaugeSample) {
    let time = Double(looks) * Self.period
    looks += 1
    // The machine does something else: workers now and then for a second and a half, the disk for half of one.
    if uniform() < Self.period / 60 { stalls.workers = time + 1.5 * uniform() }
    if uniform() < Self.period / 30 { stalls.disk = time + 0.5 * uniform() }
    let now = rate * (1 - 0.7 * depth * extent(.slowingDetector, time)) * (1 + 0.01 * normal())
    advance(time, arriving: max(0, now) * Self.period)
    return (time, sample(time, rate: now))
  }

  private mutating func advance(_ time: Double, arriving: Double) {
    let worker = time < stalls.workers ? 0 : workers * (1 - 0.9 * extent(.slowWorker, time))
    let writing = time < stalls.disk ? 0 : disk * (1 - extent(.slowDisk, time) * (1 - 0.3 * rate / disk))
    buffered += arriving
    let written = min(buffered, writing * Self.period)
    buffered -= written
    (lag, taken) = (max(0, lag + written - worker * Self.period), taken + written)
    guard ownReaction == nil, time >= onset, let fault else { return }
    let isOwn: Bool =
      switch fault {
      case .slowWorker: lag > Self.lagMax
      case .slowDisk: buffered > Self.bufferSeconds * rate
      case .fillingDisk: spare(time) <= 0
      case .slowingDetector, .lostBeam, .deadRows: false
      }
    if isOwn { ownReaction = time }
  }

  /// Free bytes beyond what the scan will take. Segments are taken as a whole, and ahead of what is written to them.
  private func spare(_ time: Double) -> Double {
    let written = taken * 8e6, isFilling = fault == .fillingDisk ? max(0, time - onset) * filling : 0
    return freeBytes - isFilling - (Self.segment - written.truncatingRemainder(dividingBy: Self.segment))
  }

  private mutating func sample(_ time: Double, rate now: Double) -> GaugeSample {
    var sample = GaugeSample(at: UInt64(time * 1e9), evidence: UInt64(time * rate))
    // A projection each look, or each few of them.
    let isNew = Int(time * rate) != Int((time - Self.period) * rate)
    if isNew {
      let topUp = (time / 120).truncatingRemainder(dividingBy: 1) * 0.004
      let beam = counts * (1 - decay * time / 3600 - topUp) * (1 + noise * normal())
      sample[.intensity] = beam * (1 - depth * extent(.lostBeam, time * 1))
      sample[.rate] = now
      sample[.deadRows] = fault == .deadRows && time >= onset ? (depth * Self.rows / 16).rounded(.up) : 0
    }
    // An update a projection, of which a look sees the newest one. That which a stall hits takes longer by the stall.
    if isNew, time >= stalls.workers {
      let slowed = 1 - 0.9 * extent(.slowWorker, time)
      sample[.updateSeconds] = (1 / (workers * slowed)) * (1 + 0.03 * normal()) + stalled
      stalled = 0
    } else if time < stalls.workers {
      stalled += Self.period
    }
    sample[.workload] = sample[.updateSeconds].map { $0 * rate }
    sample[.lag] = lag.rounded()
    sample[.buffered] = buffered.rounded()
    sample[.diskSpare] = spare(time)
    return sample
  }
}
