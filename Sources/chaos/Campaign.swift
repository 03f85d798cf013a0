import Foundation
import Host
import Scan
import TestSupport

/// Runs of one small scan with orders to kill and to stop, drawn from a seed.
struct Campaign {
  var report = Report()
  let program: String
  let folder: String
  private let stages: [String]
  let reference: RunResult
  var random: SplitMix64

  private static let workers = 2
  /// The named points of each kind of stage, and how often a run of the small scan passes them.
  private static let points: [String: [(FaultPoint, passes: Int)]] = [
    "acquire": [(.claimed, 60), (.payloadHalf, 60), (.payloadWritten, 60), (.committed, 60), (.submit, 4), (.completion, 4)],
    "distribute": [(.chunksHalf, 250), (.unreleased, 60), (.submit, 8), (.completion, 8)],
    "reconstruct": [
      (.flipBefore, 50), (.flipAfter, 50), (.blockSwept, 1), (.unreleased, 110), (.submit, 30), (.completion, 30), (.renameBefore, 2),
      (.renameAfter, 2),
    ],
    // It has nothing to decide here; its points are tried by the tests that give it something.
    "control": [],
    "export": [(.exportBefore, 1), (.exportHalf, 20), (.exportAfter, 1), (.renameBefore, 22), (.renameAfter, 22)],
  ]
  /// One in so many orders stops the stage instead of killing it: each costs the seconds until it is taken for hung.
  private static let stopPeriod = 10
  static let timeLimit: Duration = .seconds(120)

  /// Simulates the scan and reconstructs it without faults.
  init(program: String, folder: String, seed: UInt64, stage: String?) throws {
    (self.program, self.folder) = (program, folder)
    random = SplitMix64(seed: seed)
    let all = ["acquire", "distribute", "control", "export"] + (0..<Self.workers).map { "reconstruct.\($0)" }
    if let stage, !all.contains(stage) { throw ScanFailure(.usage, "--stage \(stage): there are \(all.joined(separator: ", "))") }
    stages = stage.map { [$0] } ?? all
    let simulated = try Self.start(
      program, ["simulate", folder + "/scan.h5", "--rows", "20", "--columns", "64", "--projections", "50", "--quiet"], faults: nil,
      output: folder + "/simulate.log")
    guard try simulated.waitForExit(timeout: Self.timeLimit) == .exited(0) else {
      throw ScanFailure(.software, "the scan could not be simulated: \(Self.complaints(folder + "/simulate.log"))")
    }
    (reference, _) = try Self.reconstruct(program, folder, name: "reference", faults: nil)
  }

  /// One run with at most `killsMax` kills.
  mutating func runOnce(killsMax: Int) throws {
    let orders = drawOrders(killsMax: killsMax)
    let faults = orders.map { "\($0.key)=\($0.value.joined(separator: ","))" }.sorted().joined(separator: ";")
    let name = "run\(report.runs)"
    report.runs += 1
    defer { try? FileManager.default.removeItem(atPath: "\(folder)/\(name)") }
    let result: RunResult
    let log: String
    do {
      (result, log) = try Self.reconstruct(program, folder, name: name, faults: faults)
    } catch {
      report.failed.append("SLIPRING_FAULTS='\(faults)': \(error)")
      // What was ordered counts: otherwise a campaign of failures would never end.
      for (stage, orders) in orders { for order in orders { count(stage, order) } }
      return
    }
    compare(result, "SLIPRING_FAULTS='\(faults)'")
    for (stage, restarts) in result.restarts { for order in (orders[stage] ?? []).prefix(restarts) { count(stage, order) } }
    for (stage, latency) in try Self.latencies(log) {
      if let latency { report.latencies[stage, default: []].append(latency) } else { report.waits += 1 }
    }
  }

  mutating func count(_ stage: String, _ order: String) {
    report.killsByPoint[stage, default: [:]][String(order.prefix { $0 != ":" }), default: .init()].add(isStop: order.hasSuffix(":stop"))
  }

  /// Up to three stages die, each up to three times in a row; now and then they die at the same moment first.
  private mutating func drawOrders(killsMax: Int) -> [String: [String]] {
    var orders: [String: [String]] = [:]
    var left = min(killsMax, Int.random(in: 1...6, using: &random))
    for stage in stages.shuffled(using: &random).prefix(3) where left > 0 {
      let lives = Int.random(in: 1...min(3, left), using: &random)
      left -= lives
      orders[stage] = (0..<lives).map { _ in drawOrder(stage) }
    }
    if orders.count > 1, Int.random(in: 0..<4, using: &random) == 0 {
      let moment = drawMoment()
      for stage in orders.keys { orders[stage]?[0] = moment }
    }
    return orders
  }

  private mutating func drawMoment() -> String { "time:\(Int.random(in: 1...150, using: &random))" }

  private mutating func drawOrder(_ stage: String) -> String {
    let isStop = Int.random(in: 0..<Self.stopPeriod, using: &random) == 0
    return drawPlace(stage) + (isStop ? ":stop" : "")
  }

  private mutating func drawPlace(_ stage: String) -> String {
    let points = Self.points[String(stage.prefix { $0 != "." })] ?? []
    guard Int.random(in: 0..<3, using: &random) > 0, let (point, passes) = points.randomElement(using: &random) else {
      return drawMoment()
    }
    return "\(point.rawValue):\(Int.random(in: 1...passes, using: &random))"
  }

  /// Reconstructs the scan; gives the result and the folder of the logs.
  private static func reconstruct(_ program: String, _ folder: String, name: String, faults: String?) throws -> (RunResult, String) {
    let (output, run) = ("\(folder)/\(name)", "\(folder)/\(name)/run")
    let log = "\(folder)/\(name).log"
    defer { for path in [log, log + complaintsSuffix] { try? FileManager.default.removeItem(atPath: path) } }
    let process = try start(
      program,
      arguments(folder, output: output, run: run), faults: faults, output: log)
    guard let status = try process.waitForExit(timeout: timeLimit) else {
      try process.signal(SIGKILL)
      _ = try process.waitForExit(timeout: timeLimit)
      throw ScanFailure(.software, "the run hung")
    }
    guard status == .exited(0) else { throw ScanFailure(.software, "the run ended with \(status): \(complaints(log))") }
    guard complaints(log).isEmpty else { throw ScanFailure(.software, "the run ended well but said: \(complaints(log))") }
    return (try JSONDecoder().decode(RunResult.self, from: Data(text(log).utf8)), run + "/log")
  }

  /// The run that every campaign repeats.
  static func arguments(_ folder: String, output: String, run: String) -> [String] {
    [
      "recon", folder + "/scan.h5", "--output-folder", output, "--run-folder", run, "--rotation-axis", "32", "--workers", "\(workers)",
      "--window-length", "8", "--final-iterations", "3", "--checkpoint-every", "9", "--quiet", "--json",
    ]
  }

  /// Compares what a run came to with the run without faults.
  mutating func compare(_ result: RunResult, _ story: String) {
    report.lost += result.lost + (reference.projections - result.projections)
    report.duplicated += result.duplicates
    if result.volumeSHA256 != reference.volumeSHA256 {
      report.differing += 1
      report.failed.append("\(story): other bits")
    }
  }

  static func start(_ program: String, _ arguments: [String], faults: String?, output: String) throws -> ChildProcess {
    var environment = ProcessInfo.processInfo.environment
    environment["SLIPRING_FAULTS"] = faults
    let (results, complaints) = (try empty(output), try empty(output + complaintsSuffix))
    defer {
      try? results.close()
      try? complaints.close()
    }
    return try ChildProcess(
      executable: program, arguments: arguments, environment: environment, standardOutput: results.fileDescriptor,
      standardError: complaints.fileDescriptor)
  }

  private static func empty(_ path: String) throws -> FileHandle {
    try Data().write(to: URL(filePath: path))
    return try FileHandle(forWritingTo: URL(filePath: path))
  }

  /// What a process says beside its result lies in a file of its own.
  private static let complaintsSuffix = ".complaints"

  static func complaints(_ output: String) -> String { text(output + complaintsSuffix) }

  static func text(_ path: String) -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }

  /// From the death of each process to the first work of its successor, read from the logs; nil where another stage hung in between, which
  /// the successor had to wait for.
  private static func latencies(_ folder: String) throws -> [(stage: String, milliseconds: Double?)] {
    let supervisor = try records(folder, "supervisor")
    let hung = Set(supervisor.filter { $0["message"]?.hasSuffix("which hung") == true }.compactMap { $0["pid"] })
    let deaths = supervisor.filter { $0["message"]?.hasPrefix("ended ") == true && $0["status"]?.contains("killed") == true }
    let ends = deaths.filter { $0["pid"].map(hung.contains) == true }.compactMap { $0["nanoseconds"].flatMap(UInt64.init) }
    return try deaths.compactMap { death in
      guard let stage = death["message"]?.dropFirst("ended ".count), let time = death["nanoseconds"].flatMap(UInt64.init) else {
        return nil
      }
      // A successor that has nothing left to do does no work; its end says that it looked.
      let works = try records(folder, String(stage)).compactMap { $0["nanoseconds"].flatMap(UInt64.init) }
      guard let first = works.filter({ $0 > time }).min() else { return nil }
      return (String(stage), ends.contains { $0 > time && $0 < first } ? nil : Double(first - time) / 1e6)
    }
  }

  private static func records(_ folder: String, _ name: String) throws -> [[String: String]] {
    try text("\(folder)/\(name).jsonl").split(separator: "\n").map { try JSONDecoder().decode([String: String].self, from: Data($0.utf8)) }
  }
}
