import Foundation
import Host
import Journal
import Run

// The whole machine dies: every process of the run, all of its shared memory, and what of its journals was not yet
// durable.
extension Campaign {
  /// One run, whose power is cut up to six times, and at most `cutsMax` times, before it is let to its end.
  mutating func cutPowerOnce(cutsMax: Int) throws {
    let scenario = drawRecipe()
    let output = "\(folder)/run\(report.runs)", run = Self.run(output)
    report.runs += 1
    defer { try? FileManager.default.removeItem(atPath: output) }
    // Half of the cuts come while the run is still being recovered from the one before.
    let cuts = (0..<min(cutsMax, Int.random(in: 1...6, using: &random))).map { cut in
      Int.random(in: 1...(cut > 0 && Bool.random(using: &random) ? 40 : 300), using: &random)
    }
    let story = "\(scenario.name), power cut after \(cuts) ms"
    for milliseconds in cuts + [nil] {
      let arguments = hasPlan(run) ? ["resume", run, "--quiet", "--json"] : arguments(scenario, output: output)
      let log = output + ".log"
      let process = try Self.start(program, arguments, faults: nil, output: log)
      if let milliseconds {
        let status = try process.waitForExit(timeout: .milliseconds(milliseconds))
        if status == nil {
          try cutPower(process, run)
          count("machine", "power-cut:1")
        }
      } else {
        let status = try process.waitForExit(timeout: Self.timeLimit)
        guard status == .exited(0) else {
          if status == nil { try process.signal(SIGKILL) }
          report.failed.append("\(story): \(status.map { "\($0)" } ?? "hung"): \(Self.complaints(log))")
          return
        }
        try compare(try JSONDecoder().decode(RunResult.self, from: Data(Self.text(log).utf8)), scenario, story)
      }
    }
  }

  private func hasPlan(_ run: String) -> Bool { FileManager.default.fileExists(atPath: run + "/plan.json") }

  /// Kills the supervisor, which the kernel's word takes every stage along with, and deletes the run's shared memory.
  /// Some bytes behind the last record of each journal are scrambled: a disk may hold anything where nothing was
  /// acknowledged.
  private mutating func cutPower(_ process: ChildProcess, _ run: String) throws {
    try process.signal(SIGKILL)
    _ = try process.waitForExit(timeout: Self.timeLimit)
    guard hasPlan(run) else { return }
    let folder = RunFolder(path: run)
    try folder.removeRegions(timeout: .seconds(30))
    guard Bool.random(using: &random) else { return }
    for entry in try RunJournals(folder).examine(depth: .tail) {
      guard let offset = entry.endOffset, let segment = entry.report.segments.last else { continue }
      let file = try FileHandle(forUpdating: URL(filePath: "\(entry.folder)/\(segment)"))
      defer { try? file.close() }
      let noise = Data(
        (0..<Int.random(in: 1...6000, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) })
      guard try file.seekToEnd() >= UInt64(offset + noise.count) else { continue }
      try file.seek(toOffset: UInt64(offset))
      try file.write(contentsOf: noise)
    }
  }
}
