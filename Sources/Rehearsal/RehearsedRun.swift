import Foundation
import Glibc
import Host
import Run
import ScanPlan

/// The unchanged run of a rehearsal: its supervisor's process, and what can be seen of it from outside.
final class RehearsedRun {
  let folder: RunFolder
  private let executable: String
  /// Where its result and its messages go.
  private let output: String
  private let cores: RehearsedCores
  private var process: ChildProcess
  /// How it ended; nil while it runs.
  private(set) var status: ExitStatus?

  private static let deathLimit: Duration = .seconds(30)

  /// Runs the scan file at `description`, whose run folder is `folder`.
  init(_ description: String, folder: String, executable: String, output: String, cores: RehearsedCores) throws {
    (self.folder, self.executable, self.output) = (RunFolder(path: folder), executable, output)
    self.cores = cores
    process = try cores.start {
      try VirtualDetector.start(
        executable, ["run", description, "--json", "--quiet"], output: output, errors: output + ".log")
    }
  }

  /// The descriptor that becomes readable when it ends.
  var pidfd: Int32 { process.pidfd }

  /// How it ended; nil while it runs.
  func reap() throws -> ExitStatus? {
    if status == nil { status = try process.reap() }
    return status
  }

  /// Kills all of it, as a machine that fails does, and gives its shared memory back; false where it is over.
  func killMachine() throws -> Bool {
    guard try reap() == nil else { return false }
    try process.signal(SIGKILL)
    guard try process.waitForExit(timeout: Self.deathLimit) != nil else {
      throw ScanFailure(.system, "process \(process.pid) of the rehearsal cannot be killed")
    }
    if folder.isBegun { try folder.removeRegions(timeout: Self.deathLimit) }
    return true
  }

  /// Goes on with it after that.
  func resume() throws {
    process = try cores.start {
      try VirtualDetector.start(
        executable, ["resume", folder.path, "--json", "--quiet"], output: output, errors: output + ".log")
    }
    status = nil
  }

  /// Ends it, and leaves none of its processes and no shared memory.
  func end() throws {
    _ = try killMachine()
    if status != .exited(0), folder.isBegun { try folder.removeRegions(timeout: Self.deathLimit) }
  }

  /// What it came to; nil where it has failed.
  func result() -> RunResult? {
    guard let data = FileManager.default.contents(atPath: output) else { return nil }
    // A run that failed has printed none.
    return try? JSONDecoder().decode(RunResult.self, from: data)
  }

  /// The last line that it said about why it failed.
  var failure: String? {
    let text = FileManager.default.contents(atPath: output + ".log").map { String(decoding: $0, as: UTF8.self) }
    return text?.split(separator: "\n").last { $0.contains("error:") }.map(String.init)
  }

  /// The names of its stages in a fixed order, whether or not they run now.
  func stageNames() throws -> [String] {
    // A run that has just begun has no status.
    let known = try? folder.readStatus().status.stages.map(\.name)
    return try (known ?? stages().map(\.key)).sorted()
  }

  /// Its stages that run now, by name, with their processes.
  func stages() throws -> [String: Int32] {
    var stages: [String: Int32] = [:]
    for name in try Folder("/proc").names() {
      guard let pid = Int32(name), Self.parent(of: pid) == process.pid, let stage = Self.stage(of: pid) else {
        continue
      }
      stages[stage] = pid
    }
    return stages
  }

  /// Kills a stage's process; false where it is gone meanwhile.
  func kill(_ pid: Int32, of stage: String) -> Bool {
    // A number that another process has meanwhile is left alone.
    Self.parent(of: pid) == process.pid && Self.stage(of: pid) == stage && Glibc.kill(pid, SIGKILL) == 0
  }

  private static func parent(of pid: Int32) -> Int32? {
    // Behind the program's name, which stands in brackets, are its state and its parent.
    let words = read("/proc/\(pid)/stat")?.split(separator: ")").last?.split(separator: " ")
    return words.flatMap { $0.count > 1 ? Int32($0[1]) : nil }
  }

  private static func stage(of pid: Int32) -> String? {
    let words = read("/proc/\(pid)/cmdline")?.split(separator: "\0").map(String.init) ?? []
    guard words.count > 2, words[1] == "stage" else { return nil }
    let partition = words.firstIndex(of: "--partition").flatMap { $0 + 1 < words.count ? ".\(words[$0 + 1])" : nil }
    return words[2] + (partition ?? "")
  }

  private static func read(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = Glibc.read(descriptor, &bytes, bytes.count)
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
  }
}
