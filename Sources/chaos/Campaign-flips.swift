import Foundation
import Glibc
import Host
import Journal
import Run

// A bit flips in what a run left on disk, or in shared memory while a stage of it is dead. The run comes to the bits of
// one without faults, or it is refused in one line: never to another volume, and never to nothing at all. Half of the
// flips are on disk, the other half in memory, and each kind of file or region has an equal share of its half.
extension Campaign {
  /// How often a kind of file or region was hit, and what came of it.
  struct Flips: Codable {
    var same = 0
    var refused = 0
    var wrong = 0

    var count: Int { same + refused + wrong }
  }

  enum Verdict {
    case same, refused
    case wrong(String)
  }

  /// Flips of one killed run, each in what it left.
  private static let flipsOfARun = 12
  /// A whole machine is killed so many milliseconds after the run's first status.
  private static let moments = 0...1200

  /// At most `flipsMax` flips: several in what one run left on disk, or one in the memory of another.
  mutating func flipSome(flipsMax: Int) throws {
    if Int.random(in: 0...Self.flipsOfARun, using: &random) == 0 {
      try flipFiles(count: min(flipsMax, Self.flipsOfARun))
    } else {
      try flipMemory()
    }
  }

  // MARK: On disk

  /// Kills a whole machine, and goes on once for each flip with a copy of what it left.
  private mutating func flipFiles(count: Int) throws {
    let output = "\(folder)/run\(report.runs)", run = Self.run(output), kept = output + "-kept"
    report.runs += 1
    defer { for path in [output, kept] { try? FileManager.default.removeItem(atPath: path) } }
    let scenario = Int.random(in: 0..<2, using: &random) == 0 ? Scenario.plain : .complete
    let moment = Int.random(in: Self.moments, using: &random)
    // As long as the moments, with an update at each projection, as in a run without faults.
    let slowly = ["--rate", "60", "--lag-max", "0"]
    let process = try Self.start(
      program, arguments(scenario, output: output) + slowly, faults: nil, output: output + ".log")
    let deadline = Deadline(after: Self.timeLimit)
    while !FileManager.default.fileExists(atPath: run + "/status.json"), !deadline.hasPassed {
      if try process.waitForExit(timeout: .milliseconds(1)) != nil { break }
    }
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
        kind: Self.kind(file),
        story: "\(scenario.name), killed after \(moment) ms, \(file.dropFirst(run.count + 1)) bit \(bit)",
        resume(scenario, output))
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
    // journal/orders.0/…
    let topic = path.split(separator: "/").dropLast().last?.split(separator: ".").first ?? ""
    return "journal \(topic)"
  }

  mutating func resume(_ scenario: Scenario, _ output: String) throws -> Verdict {
    let process = try Self.start(
      program, ["resume", Self.run(output), "--quiet", "--json"], faults: nil, output: output + ".log")
    return try verdict(process, scenario, output)
  }

  // MARK: Either

  /// Flips a bit of a file; gives its number.
  mutating func flip(_ path: String, bytes: Range<Int>) throws -> Int {
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
  mutating func verdict(_ process: ChildProcess, _ scenario: Scenario, _ output: String) throws -> Verdict {
    let log = output + ".log"
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
    let expected = try reference(scenario, projections: projections)
    guard result.volumeSHA256 == expected.volumeSHA256, result.denoisedSHA256 == expected.denoisedSHA256,
      result.projections == projections, result.lost == 0
    else {
      return .wrong("other bits of \(result.projections) projections, \(result.lost) lost")
    }
    return .same
  }

  mutating func judge(kind: String, story: String, _ verdict: Verdict) {
    switch verdict {
    case .same: report.flips[kind, default: .init()].same += 1
    case .refused: report.flips[kind, default: .init()].refused += 1
    case .wrong(let how):
      report.flips[kind, default: .init()].wrong += 1
      report.failed.append("\(story): \(how)")
    }
  }
}
