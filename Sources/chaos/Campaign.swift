import Foundation
import Host
import Run
import RunModel
import ScanPlan
import Simulation

/// Runs of one scan with orders to kill and to stop, drawn from a seed.
struct Campaign {
  var report = CampaignReport()
  /// Of runs without faults, by what they were asked for.
  var references: [String: RunResult] = [:]
  /// What control scored in them.
  var scores: [String: [ScoreEvent]] = [:]
  let program: String
  let folder: String
  /// Of the scan that all runs reconstruct.
  let projections: Int
  let rows: Int
  /// What is run, and which stages of it are killed; all where there is none.
  private let scenarios: [Scenario]
  private let stage: String?
  /// Whether workers come and go in each run.
  private let isElastic: Bool
  var random: SplitMix64

  /// One in so many orders stops the stage instead of killing it: each costs the seconds until it is taken for hung.
  private static let stopPeriod = 10
  /// One in so many others has it crash.
  private static let trapPeriod = 5
  /// In one of so many runs the supervisor is stopped for a while.
  private static let pausePeriod = 8
  static let timeLimit: Duration = .seconds(120)

  /// Simulates the scan: a small one, or one of tiny frames and so many projections.
  init(
    program: String, folder: String, seed: UInt64, stage: String?, long: Int?, isElastic: Bool = false
  ) throws {
    (self.program, self.folder, self.stage, self.isElastic) = (program, folder, stage, isElastic)
    (projections, rows) = long.map { ($0, 4) } ?? (50, 20)
    random = SplitMix64(seed: seed)
    scenarios = try Scenario.with(stage: stage, long: long, isElastic: isElastic)
    try simulate()
  }

  mutating func drawRecipe() -> Scenario { scenarios[Int.random(in: scenarios.indices, using: &random)] }

  /// One run with at most `killsMax` kills; with `fillsDisk` its disk is full now and then.
  mutating func runOnce(killsMax: Int, fillsDisk: Bool) throws {
    let scenario = drawRecipe()
    let orders = drawOrders(scenario, killsMax: killsMax)
    let episodes = fillsDisk ? drawEpisodes() : []
    let changes = isElastic ? drawChanges() : []
    let faults = Self.faults(orders), pause = drawPause()
    let full = episodes.map { ", disk full after \($0.start) ms for \($0.length) ms" }.joined()
    let story =
      "\(scenario.name), SLIPRING_FAULTS='\(faults)'\(pause.map { ", \($0)" } ?? "")\(full)"
      + changes.map { ", \($0.change) after \($0.start) ms" }.joined()
    let output = "\(folder)/run\(report.runs)"
    report.runs += 1
    defer { try? FileManager.default.removeItem(atPath: output) }
    let result: RunResult
    let log: String
    do {
      (result, log) = try Self.reconstruct(
        program, arguments(scenario, output: output), output: output, faults: faults
      ) { process in
        try pause?.make(process)
        if !episodes.isEmpty { try fillDisk(episodes, while: process, output) }
        try Self.changeWorkers(changes, while: process, output)
      }
    } catch {
      report.failed.append("\(story): \(error)")
      // What was ordered counts: otherwise a campaign of failures would never end.
      for (stage, orders) in orders { for order in orders { count(stage, order) } }
      return
    }
    try compare(result, scenario, story)
    if isElastic { report.moves += try Self.moves(output) }
    report.pauses += pause == nil ? 0 : 1
    for (stage, restarts) in result.restarts {
      for order in (orders[stage] ?? []).prefix(restarts) { count(stage, order) }
    }
    for (stage, latency) in try Self.latencies(log) {
      if let latency { report.latencies[stage, default: []].append(latency) } else { report.waits += 1 }
    }
  }

  mutating func count(_ stage: String, _ order: String) {
    report.killsByPoint[stage, default: [:]][String(order.prefix { $0 != ":" }), default: .init()].add(order)
  }

  /// When a supervisor is stopped, and for how long: it must not take the stages for hung that beat meanwhile.
  struct Pause: CustomStringConvertible {
    let start: Int
    let length: Int
    var description: String { "supervisor stopped after \(start) ms for \(length) ms" }

    /// Stops the process and lets it go on, unless it ends before.
    func make(_ process: ChildProcess) throws {
      guard try process.waitForExit(timeout: .milliseconds(start)) == nil else { return }
      try process.signal(SIGSTOP)
      Thread.sleep(forTimeInterval: Double(length) / 1000)
      try process.signal(SIGCONT)
    }
  }

  private mutating func drawPause() -> Pause? {
    guard Int.random(in: 0..<Self.pausePeriod, using: &random) == 0 else { return nil }
    return Pause(start: .random(in: 1...500, using: &random), length: .random(in: 200...3000, using: &random))
  }

  static func faults(_ orders: [String: [String]]) -> String {
    orders.map { "\($0.key)=\($0.value.joined(separator: ","))" }.sorted().joined(separator: ";")
  }

  /// Up to three stages die, each up to three times in a row; now and then they die at the same moment first.
  mutating func drawOrders(_ scenario: Scenario, killsMax: Int) -> [String: [String]] {
    var orders: [String: [String]] = [:]
    var left = min(killsMax, Int.random(in: 1...6, using: &random))
    for stage in (stage.map { [$0] } ?? scenario.stages).shuffled(using: &random).prefix(3) where left > 0 {
      let lives = Int.random(in: 1...min(3, left), using: &random)
      left -= lives
      orders[stage] = (0..<lives).map { _ in drawOrder(scenario, stage) }
    }
    if orders.count > 1, Int.random(in: 0..<4, using: &random) == 0 {
      let moment = drawMoment(scenario)
      for stage in orders.keys { orders[stage]?[0] = moment }
    }
    return orders
  }

  private mutating func drawMoment(_ scenario: Scenario) -> String {
    "time:\(Int.random(in: 1...scenario.milliseconds, using: &random))"
  }

  private mutating func drawOrder(_ scenario: Scenario, _ stage: String) -> String {
    let isStop = Int.random(in: 0..<Self.stopPeriod, using: &random) == 0
    let isTrap = !isStop && Int.random(in: 0..<Self.trapPeriod, using: &random) == 0
    return drawPlace(scenario, stage) + (isStop ? ":stop" : isTrap ? ":trap" : "")
  }

  private mutating func drawPlace(_ scenario: Scenario, _ stage: String) -> String {
    guard Int.random(in: 0..<3, using: &random) > 0,
      let (point, passes) = scenario.points(of: stage).randomElement(using: &random)
    else {
      return drawMoment(scenario)
    }
    return "\(point.rawValue):\(Int.random(in: 1...passes, using: &random))"
  }

  /// Runs the program to its end, and `meanwhile` beside it; gives the result and the folder of the logs.
  static func reconstruct(
    _ program: String, _ arguments: [String], output: String, faults: String?,
    meanwhile: (ChildProcess) throws -> Void = { _ in }
  ) throws -> (RunResult, String) {
    let log = output + ".log"
    defer { for path in [log, log + complaintsSuffix] { try? FileManager.default.removeItem(atPath: path) } }
    let process = try start(program, arguments, faults: faults, output: log)
    try meanwhile(process)
    guard let status = try process.waitForExit(timeout: timeLimit) else {
      try process.signal(SIGKILL)
      _ = try process.waitForExit(timeout: timeLimit)
      throw ScanFailure(.software, "the run hung")
    }
    guard status == .exited(0) else { throw ScanFailure(.software, "the run ended with \(status): \(complaints(log))") }
    guard complaints(log).isEmpty else {
      throw ScanFailure(.software, "the run ended well but said: \(complaints(log))")
    }
    return (try JSONDecoder().decode(RunResult.self, from: Data(text(log).utf8)), run(output) + "/log")
  }

  /// A run of a scenario over the whole scan.
  func arguments(_ scenario: Scenario, output: String) -> [String] {
    Self.arguments(Self.scan(folder, projections), scenario.options + scenario.endings, output: output)
  }

  static func arguments(_ scan: String, _ options: [String], output: String) -> [String] {
    [
      "recon", scan, "--output-folder", output, "--run-folder", run(output), "--workers",
      "\(Scenario.workers)", "--algorithm", "sirt",
      "--final-iterations", "3", "--checkpoint-every", "9", "--quiet", "--json",
    ] + (options.contains("--rotation-axis") ? [] : ["--rotation-axis", "32"]) + options
  }

  /// The folder of the run that writes to `output`.
  static func run(_ output: String) -> String { output + "/run" }

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

  /// From the death of each process to the first work of its successor, read from the logs; nil where another stage
  /// hung in between, which the successor had to wait for.
  private static func latencies(_ folder: String) throws -> [(stage: String, milliseconds: Double?)] {
    let supervisor = try records(folder, "supervisor")
    let hung = Set(supervisor.filter { $0["message"]?.hasSuffix("which hung") == true }.compactMap { $0["pid"] })
    let deaths = supervisor.filter {
      $0["message"]?.hasPrefix("ended ") == true && $0["status"]?.contains("killed") == true
    }
    let ends = deaths.filter { $0["pid"].map(hung.contains) == true }.compactMap {
      $0["nanoseconds"].flatMap(UInt64.init)
    }
    return try deaths.compactMap { death in
      guard let stage = death["message"]?.dropFirst("ended ".count),
        let time = death["nanoseconds"].flatMap(UInt64.init)
      else {
        return nil
      }
      // A successor that has nothing left to do does no work; its end says that it looked.
      let works = try records(folder, String(stage)).compactMap { $0["nanoseconds"].flatMap(UInt64.init) }
      guard let first = works.filter({ $0 > time }).min() else { return nil }
      return (String(stage), ends.contains { $0 > time && $0 < first } ? nil : Double(first - time) / 1e6)
    }
  }

  private static func records(_ folder: String, _ name: String) throws -> [[String: String]] {
    try text("\(folder)/\(name).jsonl").split(separator: "\n").map {
      try JSONDecoder().decode([String: String].self, from: Data($0.utf8))
    }
  }
}
