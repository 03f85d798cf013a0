import Glibc
import Host
package import ScanPlan

/// How a server is, for whoever looks at its folder: the content of its `server.json`.
package struct ServerStatus: Codable, Equatable, Sendable {
  /// Its process.
  let pid: Int32
  /// The file that says what it does.
  let file: String
  /// Its sources, `detector` or `folder` by their names.
  package let sources: [String: String]
  /// Scans of which something is to be done, by what that is.
  let scans: [String: Int]
  /// Scans that are being reconstructed.
  let running: [Int]

  init(_ server: Server, entries: [Int: QueueEntry.EntryState]) {
    pid = getpid()
    file = absolutePath(server.file.path)
    sources = Dictionary(
      uniqueKeysWithValues: server.file.sources.map { source in
        if case .drop = source.address { (source.name, "folder") } else { (source.name, "detector") }
      })
    scans = Dictionary(grouping: entries.values, by: \.rawValue).mapValues(\.count)
    running = server.jobs.keys.sorted()
  }

  /// One line for people.
  var words: String {
    let what =
      running.isEmpty ? "waiting for scans" : "reconstructing scan \(running.map { "\($0)" }.joined(separator: ", "))"
    let waiting = (scans["waiting"] ?? 0) + (scans["receiving"] ?? 0)
    return waiting > 0 ? "\(what), \(waiting) in the queue" : what
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
