import Foundation
import Glibc
import Host
import Run
import RunModel

// Bits that flip in a run's memory: a stage dies, and its successor takes over what it left.
extension Campaign {
  /// A kind of region, and whose death comes before a bit of it flips.
  private struct Region {
    /// The name of it, without the worker's number.
    let name: String
    /// The stage that dies: the one that goes on with what is there.
    let stage: String
    /// The only scenario that has such a region, or in which the stage can be stopped; nil for all.
    var scenario: Scenario?
  }

  private static let regions = [
    Region(name: "volume", stage: "reconstruct"), Region(name: "updates", stage: "reconstruct"),
    Region(name: "orders", stage: "distribute"), Region(name: "orders", stage: "reconstruct"),
    Region(name: "projections", stage: "acquire"), Region(name: "projections", stage: "distribute", scenario: .plain),
    Region(name: "projections", stage: "reconstruct", scenario: .plain),
    Region(name: "projections", stage: "correct", scenario: .complete), Region(name: "beats", stage: "distribute"),
    Region(name: "corrected", stage: "correct", scenario: .complete),
    Region(name: "corrected", stage: "reconstruct", scenario: .complete),
    Region(name: "commands", stage: "control", scenario: .complete),
    Region(name: "scores", stage: "control", scenario: .complete),
    Region(name: "slices", stage: "control", scenario: .complete),
    Region(name: "slices", stage: "reconstruct", scenario: .complete),
    Region(name: "denoised-volume", stage: "denoise", scenario: .complete),
    Region(name: "denoised", stage: "denoise", scenario: .complete),
  ]
  /// Where a stage is stopped before it is killed, and how often every run passes there.
  private static let points: [String: [Scenario.Point]] = [
    "acquire": [(.payloadHalf, 50), (.committed, 50)], "correct": [(.payloadWritten, 50), (.unreleased, 50)],
    "distribute": [(.ordersHalf, 50), (.unreleased, 50)], "control": [(.scored, 40)],
    "reconstruct": [(.flipBefore, 40), (.flipAfter, 40), (.unreleased, 90)], "denoise": [(.slicesDenoised, 5)],
  ]

  /// Stops a stage and kills it while its supervisor is stopped as well, flips a bit in the run's memory, and lets the
  /// run go on.
  mutating func flipMemory() throws {
    let output = "\(folder)/run\(report.runs)"
    report.runs += 1
    defer { try? FileManager.default.removeItem(atPath: output) }
    guard let region = drawRegion(), let (point, passes) = Self.points[region.stage]?.randomElement(using: &random)
    else { return }
    let scenario = region.scenario ?? (Int.random(in: 0..<2, using: &random) == 0 ? .plain : .complete)
    let worker = region.stage == "reconstruct" ? Int.random(in: 0..<Scenario.workers, using: &random) : nil
    let stage = region.stage + (worker.map { ".\($0)" } ?? "")
    let place = "\(stage)=\(point.rawValue):\(Int.random(in: 1...passes, using: &random)):stop"
    let process = try Self.start(
      program, arguments(scenario, output: output), faults: place, output: output + ".log")
    var story = "\(scenario.name), killed at \(place)", isHit = false
    if let (run, pid) = try waitForStop(of: stage, RunFolder(path: Self.run(output)), process) {
      try process.signal(SIGSTOP)
      defer { try? process.signal(SIGCONT) }
      kill(pid, SIGKILL)
      usleep(20_000)
      if let name = try drawName(region.name, of: run, worker) {
        let bit = try flip("/dev/shm/\(name)", bytes: drawBytes("/dev/shm/\(name)"))
        story += ", \(name.split(separator: "/").last ?? "") bit \(bit)"
        isHit = true
      }
    }
    let kind = "region \(region.name)", first = try verdict(process, scenario, output)
    guard isHit else { return }
    guard case .refused = first else { return try judge(kind: kind, story: story, compared(first, scenario, output)) }
    // What was refused can be resumed.
    let second = try resume(scenario, output)
    guard case .refused = second else {
      return try judge(kind: kind, story: story + ", resumed", compared(second, scenario, output))
    }
    try judge(kind: kind, story: story + ", salvaged", salvage(scenario, output))
  }

  /// Gives up by name what is damaged in a run that cannot be resumed, and resumes the rest, which must be all but a
  /// few projections; none is lost where what is damaged was made of others.
  private mutating func salvage(_ scenario: Scenario, _ output: String) throws -> Verdict {
    let log = output + ".log", cause = Self.complaints(log)
    func end(_ arguments: [String]) throws -> ExitStatus? {
      try Self.start(program, arguments, faults: nil, output: log).waitForExit(timeout: Self.timeLimit)
    }
    guard try end(["journal", "salvage", Self.run(output)]) == .exited(0),
      try end(["resume", Self.run(output), "--quiet", "--json"]) == .exited(0)
    else { return .wrong("resumed in vain: \(cause), salvaged in vain: \(Self.complaints(log))") }
    let result = try JSONDecoder().decode(RunResult.self, from: Data(Self.text(log).utf8))
    guard (0...3).contains(result.lost), result.projections + result.lost == projections else {
      return .wrong("salvaged \(result.projections) projections, \(result.lost) lost: \(cause)")
    }
    guard result.lost == 0 else { return .refused }
    let expected = try reference(scenario, projections: projections)
    return result.volumeSHA256 == expected.volumeSHA256 && result.denoisedSHA256 == expected.denoisedSHA256
      ? .same : .wrong("salvaged, and other bits")
  }

  /// Looks at the scores of a run that came to the same volume: none may be of other slices than without faults. Some
  /// may be missing, where a slice was damaged, and the range of grey values may settle later.
  private mutating func compared(_ verdict: Verdict, _ scenario: Scenario, _ output: String) throws -> Verdict {
    guard case .same = verdict else { return verdict }
    let expected = try referenceScores(scenario)
    let wrong = try RunHistory(RunFolder(path: Self.run(output))).scores.first { score in
      guard let known = expected.first(where: { $0.worker == score.worker && $0.update == score.update }) else {
        return false
      }
      let isOther =
        score.similarity != nil && known.similarity != nil && known.range == score.range
        && known.similarity != score.similarity
      return isOther || known.projections != score.projections
    }
    return wrong.map { .wrong("a score that is none of this scan: \($0)") } ?? .same
  }

  private mutating func drawRegion() -> Region? {
    let names = Set(Self.regions.map(\.name)).sorted()
    guard let name = names.randomElement(using: &random) else { return nil }
    return Self.regions.filter { $0.name == name }.randomElement(using: &random)
  }

  /// A region of this kind; of a worker that died its own.
  private mutating func drawName(_ kind: String, of run: String, _ worker: Int?) throws -> String? {
    let names = try SharedRegion.names(prefix: "slipring-\(run)").filter { name in
      let words = name.split(separator: "/").last?.split(separator: ".").map(String.init) ?? []
      return words.first == kind && (worker == nil || words.count < 2 || words[1] == "\(worker ?? 0)")
    }
    return names.randomElement(using: &random)
  }

  /// The run and the stage's process once that is stopped; nil where the run is over before.
  private func waitForStop(
    of stage: String, _ folder: RunFolder, _ process: ChildProcess
  ) throws -> (run: String, pid: Int32)? {
    let deadline = Deadline(after: Self.timeLimit)
    while !deadline.hasPassed, try process.waitForExit(timeout: .milliseconds(5)) == nil {
      // There is no status at first. Behind a process's name, which stands in brackets, is its state.
      if let status = try? folder.readStatus().status,
        let pid = status.stages.first(where: { $0.name == stage && $0.isRunning })?.pid,
        Self.text("/proc/\(pid)/stat").split(separator: ")").last?.hasPrefix(" T") == true
      {
        return (status.run, pid)
      }
    }
    return nil
  }

  /// The first bytes, where the words are that decide, the last ones, where checksums are, or any.
  private mutating func drawBytes(_ path: String) throws -> Range<Int> {
    let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 1
    switch Int.random(in: 0..<4, using: &random) {
    case 0: return 0..<min(size, 1024)
    case 1: return max(0, size - 4096)..<size
    default: return 0..<size
    }
  }
}
