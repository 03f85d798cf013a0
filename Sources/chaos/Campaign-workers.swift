import Foundation
import Host
import Run
import ScanPlan

// Workers come and go while stages die, and bands change hands.
extension Campaign {
  /// What is asked of a run's workers, and so many milliseconds after what was asked before.
  typealias WorkersChange = (start: Int, change: BandDeal.Change)

  /// Draws some. Not all can be had: those are refused, and the run goes on.
  mutating func drawChanges() -> [WorkersChange] {
    (0..<Int.random(in: 2...6, using: &random)).map { _ in
      let change: BandDeal.Change =
        switch Int.random(in: 0..<6, using: &random) {
        case 0, 1: .set(1)
        case 2, 3: .set(2)
        case 4: .add(1, cores: nil)
        default: .drain(Int.random(in: 0...3, using: &random))
        }
      return (Int.random(in: 1...250, using: &random), change)
    }
  }

  /// Asks for them, one after the other, while `process` runs.
  static func changeWorkers(_ changes: [WorkersChange], while process: ChildProcess, _ output: String) throws {
    guard !changes.isEmpty else { return }
    let folder = RunFolder(path: run(output)), requests = RunRequests(runFolder: folder)
    let log = run(output) + "/log/supervisor.jsonl", deadline = Deadline(after: timeLimit)
    while !FileManager.default.fileExists(atPath: log), !deadline.hasPassed {
      if try process.waitForExit(timeout: .milliseconds(1)) != nil { return }
    }
    for (start, change) in changes {
      if try process.waitForExit(timeout: .milliseconds(start)) != nil { return }
      // A run that is about to end, or still at what was asked before, says so.
      do { try requests.changeWorkers(change, by: "chaos") } catch { continue }
    }
  }

  /// Bands that changed hands in a run that is over.
  static func moves(_ output: String) throws -> Int {
    try RunFolder(path: run(output)).readStatus().status.bandMoves ?? 0
  }
}
