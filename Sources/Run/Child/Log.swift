import Foundation
import Glibc
import Host
import Logging
import RunModel
import ScanPlan
import Stages
import Synchronization

/// Logs of a run as JSON lines: `{"time", "level", "stage", "message", …metadata}`; all values are text.
/// Docs.docc/Operating.md lists the messages.
enum Log {
  /// The log of one stage, appended to `log/<stage>.jsonl`.
  static func stage(_ stage: StageName, _ plan: RunPlan, folder: RunFolder) -> Logger {
    open("\(stage)", plan.scan.logLevel, folder: folder)
  }

  /// The supervisor's log.
  static func supervisor(_ plan: RunPlan, folder: RunFolder) -> Logger {
    open(supervisorName, plan.scan.logLevel, folder: folder)
  }

  /// What keeps the logs of a run from being written, but for a disk without room, in words. No run ends for that.
  static func problems(_ plan: RunPlan, folder: RunFolder) -> [String] {
    ([supervisorName] + plan.wiring.stages.map(\.description)).compactMap { name in
      let path = folder.log(name)
      return LogFile(path: path).problem.map { "cannot write the log \(path) (\($0)): the run goes on without it" }
    }
  }

  /// What the process `pid` of a stage said last, where that was an error; nil where its log does not tell.
  static func lastError(of stage: StageName, pid: Int32, _ folder: RunFolder) -> String? {
    guard let end = LogEnd.read(folder.log("\(stage)"), byteCount: lastByteCount) else { return nil }
    for line in end.split(separator: "\n").reversed() {
      guard let record = try? JSONDecoder().decode([String: String].self, from: Data(line.utf8)) else { return nil }
      // What lies before the beginning of a process is of another one, which may have failed otherwise.
      if record["message"] == startedMessage { return nil }
      if record["level"] == Logger.Level.error.rawValue { return record["pid"] == "\(pid)" ? record["message"] : nil }
    }
    return nil
  }

  /// With this message a stage's process begins.
  static let startedMessage = "started"
  /// An error is the last line of a process, or nearly.
  private static let lastByteCount = 16 << 10

  private static let supervisorName = "supervisor"

  private static func open(_ name: String, _ level: LogLevel, folder: RunFolder) -> Logger {
    let file = LogFile(path: folder.log(name))
    var logger = Logger(label: name) { JSONLinesHandler(stage: $0, file: file) }
    logger.logLevel = level.loggerLevel
    return logger
  }
}

extension LogLevel {
  fileprivate var loggerLevel: Logger.Level {
    switch self {
    case .debug: .debug
    case .info: .info
    case .notice: .notice
    case .warning: .warning
    case .error: .error
    }
  }
}

/// A file that lines are added to. One that cannot be opened, or a disk without room, loses lines and stops nobody: it
/// is tried again with the next line.
private final class LogFile: Sendable {
  private let path: String
  /// Negative while there is no file.
  private let descriptor = Mutex<Int32>(-1)

  /// Opens the file, or makes it.
  init(path: String) {
    self.path = path
    _ = descriptor.withLock { open(&$0) }
  }

  /// Why it cannot be opened; nil where it can, or has no room.
  var problem: String? {
    descriptor.withLock { descriptor in
      if open(&descriptor) { return nil }
      let errno = Errno.current
      return errno.isNoSpace ? nil : "\(errno)"
    }
  }

  deinit {
    descriptor.withLock { if $0 >= 0 { close($0) } }
  }

  private func open(_ descriptor: inout Int32) -> Bool {
    if descriptor >= 0 { return true }
    // With O_NONBLOCK nobody waits for the reader of a pipe in its place.
    let opened = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
    guard opened >= 0 else { return false }
    guard isRegularFile(opened) else {
      close(opened)
      errno = ENXIO
      return false
    }
    descriptor = opened
    return true
  }

  /// Adds a line with one write, so that lines of a killed process are whole; what a full disk took of one goes again.
  func append(_ line: some Sequence<UInt8>) {
    let bytes = line + [UInt8(ascii: "\n")]
    descriptor.withLock { descriptor in
      // There is nowhere else to say that a log cannot be written: stages print why they fail themselves.
      guard open(&descriptor) else { return }
      let count = write(descriptor, bytes, bytes.count)
      var status = stat()
      guard count > 0, count < bytes.count, fstat(descriptor, &status) == 0 else { return }
      _ = ftruncate(descriptor, status.st_size - off_t(count))
    }
  }
}

/// Writes each record as one line.
private struct JSONLinesHandler: LogHandler {
  let stage: String
  let file: LogFile
  var metadata: Logger.Metadata = [:]
  var logLevel: Logger.Level = .info

  init(stage: String, file: LogFile) {
    self.stage = stage
    self.file = file
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var record = ["time": Date.now.ISO8601Format(.iso8601(timeZone: .gmt, includingFractionalSeconds: true))]
    record["level"] = event.level.rawValue
    record["stage"] = stage
    record["message"] = "\(event.message)"
    for (key, value) in metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 }) { record[key] = "\(value)" }
    do { try file.append(JSONEncoder().encode(record)) } catch { preconditionFailure("text is JSON: \(error)") }
  }
}
