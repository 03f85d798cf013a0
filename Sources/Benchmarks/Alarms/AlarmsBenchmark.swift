import Alarms
import Host

/// How long before the product's own rules triggers tell of faults, and how often they tell of none.
package struct AlarmsBenchmark {
  /// What is tried.
  package struct Options: Sendable {
    /// Runs of each fault.
    package var seeds = 20
    /// The first seed.
    package var seed: UInt64 = 1
    /// Hours without a fault, in runs of an hour.
    package var quietHours = 8
    /// What is watched.
    var triggers = Trigger.standard

    /// The standard set, twenty seeds, eight hours.
    package init() {}
  }

  /// What came of one kind of fault.
  package struct FaultRow: Codable, Equatable, Sendable {
    /// The fault.
    package let fault: RunFault
    /// Runs, and those in which no trigger told.
    package let (runs, missed): (Int, Int)
    /// Runs in which one told before there was a fault.
    package let early: Int
    /// Median and largest seconds from the fault to the alarm.
    package let (delay, delayMax): (Double, Double)
    /// Runs in which the product's own rules react at all, and median and least seconds that the alarm came before.
    package let (reacted, lead, leadMin): (Int, Double?, Double?)
  }

  /// What came of all.
  package struct AlarmsReport: Codable, Equatable, Sendable {
    /// The first seed.
    package let seed: UInt64
    /// A row a fault.
    package let faults: [FaultRow]
    /// Hours without a fault.
    package let quietHours: Int
    /// Alarms in them, by trigger.
    package let falseAlarms: [String: Int]
    /// Processor time of a look, in microseconds.
    package let microsecondsOfLook: Double
  }

  /// A fault is watched for so long.
  private static let secondsMax = 4500.0

  private let options: Options
  private let interrupt: () throws -> Void

  /// `interrupt` is asked now and then, and throws to end it.
  package init(_ options: Options, interrupt: @escaping () throws -> Void = {}) {
    (self.options, self.interrupt) = (options, interrupt)
  }

  /// Tries everything.
  package func run() throws -> AlarmsReport {
    let rows = try RunFault.allCases.map(row)
    let (alarms, microseconds) = try quiet()
    return AlarmsReport(
      seed: options.seed, faults: rows, quietHours: options.quietHours, falseAlarms: alarms,
      microsecondsOfLook: microseconds)
  }

  private func watcher(_ run: SimulatedRun) -> Watcher {
    Watcher(options.triggers, limits: run.limits) { _ in preconditionFailure("no program is tried") }
  }

  private func row(_ fault: RunFault) throws -> FaultRow {
    var (delays, leads, early, missed): ([Double], [Double], Int, Int) = ([], [], 0, 0)
    for number in 0..<options.seeds {
      try interrupt()
      var run = SimulatedRun(fault, seed: options.seed + UInt64(number))
      var watcher = watcher(run), alarm: Double?, isEarly = false
      while true {
        let (time, sample) = run.next()
        let isRaised = watcher.look(sample).contains { $0.isRaised }
        if isRaised, time < run.onset { isEarly = true }
        if isRaised, time >= run.onset { alarm = alarm ?? time }
        // Both have told, or nobody will.
        if alarm != nil, run.ownReaction != nil || !fault.isReactedTo || time > Self.secondsMax { break }
        if time > Self.secondsMax { break }
      }
      early += isEarly ? 1 : 0
      guard let alarm else {
        missed += 1
        continue
      }
      delays.append(alarm - run.onset)
      if let own = run.ownReaction { leads.append(own - alarm) }
    }
    return FaultRow(
      fault: fault, runs: options.seeds, missed: missed, early: early, delay: Self.median(delays) ?? .infinity,
      delayMax: delays.max() ?? .infinity, reacted: leads.count, lead: Self.median(leads), leadMin: leads.min())
  }

  private static func median(_ values: [Double]) -> Double? {
    values.isEmpty ? nil : values.sorted()[values.count / 2]
  }

  private func quiet() throws -> (alarms: [String: Int], microseconds: Double) {
    var (alarms, looks): ([String: Int], Int) = ([:], 0)
    let start = Machine.processorNanoseconds
    for hour in 0..<options.quietHours {
      try interrupt()
      var run = SimulatedRun(nil, seed: options.seed + 1000 + UInt64(hour))
      var watcher = watcher(run)
      for _ in 0..<36_000 {
        for alarm in watcher.look(run.next().sample) where alarm.isRaised {
          alarms[watcher.triggers[alarm.trigger].name, default: 0] += 1
        }
        looks += 1
      }
    }
    return (alarms, Double(Machine.processorNanoseconds - start) / 1000 / Double(max(looks, 1)))
  }
}

extension RunFault {
  /// Whether the product reacts by itself before the scan's end.
  fileprivate var isReactedTo: Bool { self == .slowWorker || self == .slowDisk || self == .fillingDisk }
}
