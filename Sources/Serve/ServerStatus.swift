import Glibc
import Host
package import ScanPlan

/// How a server is, for whoever looks at its folder: the content of its `server.json`.
package struct ServerStatus: Codable, Equatable, Sendable {
  /// A process of the server.
  package struct ServerProcess: Codable, Equatable, Sendable {
    /// As in `intake camera`, `scan 17`.
    package let name: String
    /// Nil for one that is to be started again.
    package let pid: Int32?
    /// How often it ended by itself, one time shortly after the other.
    package let failures: Int
  }

  /// Its process.
  let pid: Int32
  /// When it began, in seconds since 1970.
  package let started: Double
  /// The file that says what it does.
  let file: String
  /// Its sources, `detector` or `folder` by their names.
  package let sources: [String: String]
  /// Scans of which something is to be done, by what that is.
  let scans: [String: Int]
  /// Scans that are being reconstructed.
  package let running: [Int]
  /// What it has started.
  package let processes: [ServerProcess]
  /// The disk that its folder is on; nil before it was looked at.
  package let disk: DiskForecast?
  /// What somebody should do something about.
  package let warnings: [String]
  /// Changes of which nobody was told, as too many came at a time or who was to be told did not answer.
  package let untold: Int

  init(_ server: Server, entries: [Int: QueueEntry.EntryState]) {
    (pid, started) = (getpid(), server.started)
    file = absolutePath(server.file.path)
    sources = Dictionary(
      uniqueKeysWithValues: server.file.sources.map { source in
        if case .drop = source.address { (source.name, "folder") } else { (source.name, "detector") }
      })
    scans = Dictionary(grouping: entries.values, by: \.rawValue).mapValues(\.count)
    running = server.jobs.keys.sorted()
    processes =
      server.intakes.sorted { $0.key < $1.key }.map { name, intake in
        ServerProcess(name: "intake \(name)", pid: intake.child?.pid, failures: intake.failures)
      }
      + running.map { ServerProcess(name: "scan \($0)", pid: server.jobs[$0]?.child.pid, failures: 0) }
    disk = server.disk.forecast
    untold = server.reporter?.untold ?? 0
    warnings = [disk?.warning].compactMap(\.self)
  }

  /// Scans that wait, or come in.
  package var queued: Int { (scans["waiting"] ?? 0) + (scans["receiving"] ?? 0) }

  /// One line for people.
  var words: String {
    let what =
      running.isEmpty ? "waiting for scans" : "reconstructing scan \(running.map { "\($0)" }.joined(separator: ", "))"
    return ([queued > 0 ? "\(what), \(queued) in the queue" : what] + warnings).joined(separator: "; ")
  }

  func write(_ folder: String) throws { try JSONFile.write(self, to: "\(folder)/server.json") }

  /// That of the server of a folder, or of the last one that it had.
  package static func read(_ folder: String) throws(ScanFailure) -> ServerStatus {
    guard let status = try JSONFile.read(ServerStatus.self, "\(folder)/server.json") else {
      throw ScanFailure(.noInput, "\(folder) is no folder of a server; slipring serve makes one")
    }
    return status
  }
}

/// Shows a server to somebody, on the server's thread.
package protocol ServerMonitor {
  /// How the server is; called many times a second.
  func show(_ status: ServerStatus) throws
  /// The server ends.
  func end()
}
