import Foundation
import Glibc
import Host
import RunModel
import ScanPlan
import Stages

/// What a stage's process took, as it says with the last line of its log. All times are nanoseconds of CLOCK_MONOTONIC.
package struct StageUsage: Equatable, Sendable {
  /// As in `reconstruct.3`.
  package let stage: String
  /// When it handled its first event; nil where there was none.
  package let firstWork: UInt64?
  /// When it had handled its last one.
  package let lastWork: UInt64?
  /// When it ended.
  package let ended: UInt64
  /// Processor time of all its threads, in user and kernel mode. Without what killed predecessors took.
  package let cpuSeconds: Double
  /// The most memory that it had resident, shared memory included.
  package let peakBytes: Int
  /// Bytes that it read from files and pipes; nil where the system does not tell.
  let bytesRead: Int?

  static let message = "finished"

  /// What this process took since its start.
  init(stage: StageName, firstWork: UInt64?, lastWork: UInt64?) {
    let (seconds, peak) = processUsage()
    self.stage = stage.description
    self.firstWork = firstWork
    self.lastWork = lastWork
    ended = Machine.monotonicNanoseconds
    (cpuSeconds, peakBytes, bytesRead) = (seconds, peak, Machine.bytesRead)
  }

  /// For the log.
  var metadata: [String: String] {
    var fields = ["ended": "\(ended)", "cpuSeconds": "\(cpuSeconds)", "peakBytes": "\(peakBytes)"]
    if let bytesRead { fields["bytesRead"] = "\(bytesRead)" }
    if let firstWork, let lastWork { (fields["firstWork"], fields["lastWork"]) = ("\(firstWork)", "\(lastWork)") }
    return fields
  }

  /// From a line of a log; nil for any other line.
  init?(_ line: [String: String]) {
    guard line["message"] == Self.message, let stage = line["stage"], let ended = line["ended"].flatMap(UInt64.init),
      let seconds = line["cpuSeconds"].flatMap(Double.init), let peak = line["peakBytes"].flatMap(Int.init)
    else { return nil }
    self.stage = stage
    firstWork = line["firstWork"].flatMap(UInt64.init)
    lastWork = line["lastWork"].flatMap(UInt64.init)
    self.ended = ended
    (cpuSeconds, peakBytes, bytesRead) = (seconds, peak, line["bytesRead"].flatMap(Int.init))
  }
}

/// Processor time of this process in seconds, and the most memory that it had resident in bytes, shared memory that it
/// touched included.
package func processUsage() -> (cpuSeconds: Double, peakBytes: Int) {
  var usage = rusage()
  let result = getrusage(RUSAGE_SELF.rawValue, &usage)
  precondition(result == 0, "getrusage: \(Errno.current)")
  func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
  return (seconds(usage.ru_utime) + seconds(usage.ru_stime), Machine.residentPeak ?? usage.ru_maxrss * 1024)
}

extension RunFolder {
  /// What each stage of a run that finished took, upstream first. Throws `.data` where a stage has not said so.
  package func stageUsages() throws -> [StageUsage] {
    try readPlan().wiring.stages.map { stage in
      guard let usage = try usage(of: stage) else {
        throw ScanFailure(.data, "\(log(stage.description)) does not say what the stage took: it has not finished")
      }
      return usage
    }
  }

  /// What a stage took; nil where it has not finished.
  func usage(of stage: StageName) throws -> StageUsage? {
    let text = try String(contentsOfFile: log(stage.description), encoding: .utf8)
    // The line of a process that was killed while it wrote is no JSON.
    return text.split(separator: "\n").reversed().lazy
      .compactMap { try? JSONDecoder().decode([String: String].self, from: Data($0.utf8)) }
      .compactMap { StageUsage($0) }.first
  }
}
