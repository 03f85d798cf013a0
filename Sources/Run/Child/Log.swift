import Foundation
import Glibc
import Host
import Logging
import RunModel
import ScanPlan

/// Logs of a run as JSON lines: `{"time", "level", "stage", "message", …metadata}`; all values are text.
/// Docs.docc/Operating.md lists the messages.
enum Log {
  /// The log of one stage, appended to `log/<stage>.jsonl`.
  static func stage(_ stage: StageName, _ plan: RunPlan, folder: RunFolder) throws -> Logger {
    try open("\(stage)", plan.scan.logLevel, folder: folder)
  }

  /// The supervisor's log.
  static func supervisor(_ plan: RunPlan, folder: RunFolder) throws -> Logger {
    try open("supervisor", plan.scan.logLevel, folder: folder)
  }

  private static func open(_ name: String, _ level: LogLevel, folder: RunFolder) throws -> Logger {
    let path = folder.log(name)
    let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else {
      throw ScanFailure(.cannotCreate, "cannot open the log \(path): \(String(cString: strerror(errno)))")
    }
    let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
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

/// Writes each record as one line with one write, so that lines of a killed process are whole.
private struct JSONLinesHandler: LogHandler {
  let stage: String
  let file: FileHandle
  var metadata: Logger.Metadata = [:]
  var logLevel: Logger.Level = .info

  init(stage: String, file: FileHandle) {
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
    do {
      try file.write(contentsOf: JSONEncoder().encode(record) + [UInt8(ascii: "\n")])
    } catch {
      // A log that cannot be written must not stop a scan, and there is nowhere else to say so: stages print why they
      // fail themselves.
    }
  }
}
