import Foundation
import Glibc
import Host
import Journal
import Run

// A bit flips in what a run left on disk, or in shared memory while a stage of it is dead. The run comes to the bits of
// one without faults, or it is refused in one line: never to another volume, and never to nothing at all.
extension Campaign {
  /// How often a kind of file or region was hit, and what came of it.
  struct Flips: Codable {
    var same = 0
    var refused = 0
    var wrong = 0

    var count: Int { same + refused + wrong }
  }

  private enum Verdict {
    case same, refused
    case wrong(String)
  }

  /// Flips of one killed run, each in what it left.
  private static let flipsOfARun = 12
  /// What is flipped in a run's memory comes after so many milliseconds.
  private static let moments = 150...900

  /// At most `flipsMax` flips: several in what one run left on disk, or one in the memory of another.
  mutating func flipSome(flipsMax: Int) throws {
    if Int.random(in: 0..<3, using: &random) == 0 {
      try flipMemory()
    } else {
      try flipFiles(count: min(flipsMax, Self.flipsOfARun))
    }
  }

  private func plainArguments(_ output: String) -> [String] {
    Self.arguments(Self.scan(folder, Self.projections), ["--rate", "60", "--lag-max", "0"], output: output)
  }

  // MARK: On disk

  /// Kills a whole machine, and goes on once for each flip with a copy of what it left.
  private mutating func flipFiles(count: Int) throws {
    let output = "\(folder)/run\(report.runs)", run = Self.run(output), kept = output + "-kept"
    report.runs += 1
    defer { for path in [output, kept] { try? FileManager.default.removeItem(atPath: path) } }
    let process = try Self.start(program, plainArguments(output), faults: nil, output: output + ".log")
    let moment = Int.random(in: Self.moments, using: &random)
    if try process.waitForExit(timeout: .milliseconds(moment)) == nil {
      try process.signal(SIGKILL)
      _ = try process.waitForExit(timeout: Self.timeLimit)
    }
    guard FileManager.default.fileExists(atPath: run + "/status.json") else { return }
    try RunFolder(path: run).removeRegions(timeout: .seconds(30))
    try FileManager.default.copyItem(atPath: output, toPath: kept)
    var ends: [String: Int] = [:]
    for entry in try RunJournals(RunFolder(path: run)).examine(depth: .tail) {
      if let last = entry.report.segments.last { ends["\(entry.folder)/\(last)"] = entry.endOffset }
    }
    for _ in 0..<count {
      try FileManager.default.removeItem(atPath: output)
      try FileManager.default.copyItem(atPath: kept, toPath: output)
      guard let file = try drawFile(run) else { return }
      // What lies behind the last record means nothing: most flips are before it.
      let size = try FileManager.default.attributesOfItem(atPath: file)[.size] as? Int ?? 0
      let used = Int.random(in: 0..<8, using: &random) > 0 ? min(size, ends[file] ?? size) : size
      guard used > 0 else { continue }
      let bit = try flip(file, bytes: 0..<used)
      try judge(
        kind: Self.kind(file), story: "killed after \(moment) ms, \(file.dropFirst(run.count + 1)) bit \(bit)",
        resume(run, output))
    }
  }

  /// A file of a run that is hit: of each kind as often.
  private mutating func drawFile(_ run: String) throws -> String? {
    let files = try FileManager.default.subpathsOfDirectory(atPath: run).filter {
      $0 == "plan.json" || $0 == "status.json" || $0.hasSuffix(".checkpoint") || $0.hasPrefix("journal/")
    }.map { "\(run)/\($0)" }.filter { path in
      var isFolder: ObjCBool = false
      return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder.boolValue
    }
    let kinds = Dictionary(grouping: files.sorted(), by: Self.kind).sorted { $0.key < $1.key }
    return kinds.randomElement(using: &random)?.value.randomElement(using: &random)
  }

  private static func kind(_ path: String) -> String {
    if path.hasSuffix(".json") { return String(path.split(separator: "/").last ?? "") }
    if path.hasSuffix(".checkpoint") { return "checkpoint" }
    return "journal"
  }

  private mutating func resume(_ run: String, _ output: String) throws -> Verdict {
    let log = output + ".log"
    let process = try Self.start(program, ["resume", run, "--quiet", "--json"], faults: nil, output: log)
    return try verdict(process, log)
  }

  // MARK: In memory

  /// Kills a worker while its supervisor is stopped, flips a bit in the run's memory, and lets the run go on.
  private mutating func flipMemory() throws {
    let output = "\(folder)/run\(report.runs)", run = RunFolder(path: Self.run(output)), log = output + ".log"
    report.runs += 1
    defer { try? FileManager.default.removeItem(atPath: output) }
    let process = try Self.start(program, plainArguments(output), faults: nil, output: log)
    let updates = Int.random(in: 1...40, using: &random)
    let worker = Int.random(in: 0..<Scenario.workers, using: &random)
    var story = "worker \(worker) killed after \(updates) updates", hit: String?
    if let status = try waitForUpdates(updates, of: run, process),
      let stage = status.stages.first(where: { $0.name == "reconstruct.\(worker)" && $0.isRunning })
    {
      try process.signal(SIGSTOP)
      defer { try? process.signal(SIGCONT) }
      kill(stage.pid, SIGKILL)
      usleep(20_000)
      let names = try SharedRegion.names(prefix: "slipring-\(status.run)")
      // Most flips are in the dead worker's volume: others are living stages' as well.
      let own = names.filter { $0.hasSuffix("/volume.\(worker)") }
      let others = names.filter { !$0.hasSuffix("/lock") }
      if let name = (Int.random(in: 0..<4, using: &random) > 0 ? own : others).randomElement(using: &random) {
        hit = name.split(separator: "/").last?.split(separator: ".").first.map(String.init)
        let bit = try flip("/dev/shm/\(name)", bytes: drawBytes("/dev/shm/\(name)"))
        story += ", \(name.split(separator: "/").last ?? "") bit \(bit)"
      }
    }
    let first = try verdict(process, log)
    guard let kind = hit else { return }
    guard case .refused = first else { return judge(kind: kind, story: story, first) }
    // What was refused can be resumed.
    let second = try resume(run.path, output)
    guard case .refused = second else { return judge(kind: kind, story: story + ", resumed", second) }
    judge(kind: kind, story: story, .wrong("resumed in vain: \(Self.complaints(log))"))
  }

  /// The run's status once so many updates were made; nil where it is over before.
  private func waitForUpdates(_ count: Int, of run: RunFolder, _ process: ChildProcess) throws -> RunStatus? {
    let deadline = Deadline(after: Self.timeLimit)
    while !deadline.hasPassed, try process.waitForExit(timeout: .milliseconds(5)) == nil {
      // There is none at first.
      if let status = try? run.readStatus().status, status.updates >= count { return status }
    }
    return nil
  }

  /// The first page, where the words are that decide, or anywhere.
  private mutating func drawBytes(_ path: String) throws -> Range<Int> {
    let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 1
    return 0..<(Int.random(in: 0..<3, using: &random) == 0 ? min(size, 1024) : size)
  }

  // MARK: Either

  /// Flips a bit of a file; gives its number.
  private mutating func flip(_ path: String, bytes: Range<Int>) throws -> Int {
    let bit = Int.random(in: bytes.lowerBound * 8..<bytes.upperBound * 8, using: &random)
    let file = try FileHandle(forUpdating: URL(filePath: path))
    defer { try? file.close() }
    try file.seek(toOffset: UInt64(bit / 8))
    guard let byte = try file.read(upToCount: 1)?.first else { return bit }
    try file.seek(toOffset: UInt64(bit / 8))
    try file.write(contentsOf: Data([byte ^ 1 << UInt8(bit % 8)]))
    return bit
  }

  /// What a run came to.
  private mutating func verdict(_ process: ChildProcess, _ log: String) throws -> Verdict {
    guard let status = try process.waitForExit(timeout: Self.timeLimit) else {
      try process.signal(SIGKILL)
      _ = try process.waitForExit(timeout: Self.timeLimit)
      return .wrong("hung")
    }
    let complaints = Self.complaints(log)
    guard status == .exited(0) else {
      // Two workers that meet the same damage at the same time both say so.
      let lines = Set(complaints.split(separator: "\n").filter { $0.contains("error:") })
      guard case .exited(let code) = status, code != 70, lines.count == 1 else {
        return .wrong("\(status): \(complaints)")
      }
      return .refused
    }
    let result = try JSONDecoder().decode(RunResult.self, from: Data(Self.text(log).utf8))
    let expected = try plainReference()
    guard result.volumeSHA256 == expected.volumeSHA256, result.projections == Self.projections, result.lost == 0 else {
      return .wrong("other bits of \(result.projections) projections, \(result.lost) lost")
    }
    return .same
  }

  private mutating func judge(kind: String, story: String, _ verdict: Verdict) {
    switch verdict {
    case .same: report.flips[kind, default: .init()].same += 1
    case .refused: report.flips[kind, default: .init()].refused += 1
    case .wrong(let how):
      report.flips[kind, default: .init()].wrong += 1
      report.failed.append("\(story): \(how)")
    }
  }
}
