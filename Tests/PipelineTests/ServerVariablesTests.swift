import Foundation
import Host
import TestSupport
import Testing

extension Pipeline {
  /// A server as process variables: what pvaPy reads of them between runs and over several.
  @Suite(.enabled(if: Variable.isThere, "pvxs (Tools/pvaccess) or Python with pvapy cannot be had"))
  struct ServerVariablesTests {
    private let served: ServedFolder
    private var folder: TestFolder { served.folder }

    init() throws {
      served = ServedFolder(try TestFolder())
      try FileManager.default.createDirectory(atPath: folder.file("incoming"), withIntermediateDirectories: true)
    }

    @Test func `A display sees scan after scan of a server in variables that stay`() throws {
      let variable = try Variable(folder: folder)
      let prefix = String(variable.address.dropFirst("pva://".count))
      let file = try served.serveFile("drop:incoming")
      var text = try String(contentsOfFile: file, encoding: .utf8)
      text = "epics: \(prefix)\n" + text
      try text.write(toFile: file, atomically: true, encoding: .utf8)
      let script = Senders.root.appending(path: "Tests/Senders/watch_server.py").path
      let display = try Command(
        [script, folder.file("ready"), prefix, "2", folder.file("seen")], executable: #require(Senders.pvaPython),
        variables: variable.environment)
      try wait("the display") { FileManager.default.fileExists(atPath: folder.file("ready")) }
      let server = try Command(["serve", file], variables: variable.environment)
      for (index, name) in ["first", "second"].enumerated() {
        let scan = try served.scan(name, seed: index)
        try FileManager.default.copyItem(atPath: scan.path, toPath: folder.file("incoming/\(name).h5"))
        _ = try served.settled(index + 1, server)
      }
      let watcher = try display.end()
      #expect(watcher.status == .exited(0), "\(watcher.errors)")
      try served.stop(server)
      let seen = try JSONDecoder().decode(Seen.self, from: Data(contentsOf: URL(filePath: folder.file("seen"))))
      #expect(seen.connections == 1, "\(seen)")
      #expect(seen.LastScan == [0, 1, 2] && seen.LastSample.suffix(2) == ["first", "second"], "\(seen)")
      #expect(seen.State.contains("reconstructing") && seen.Scan.contains(1) && seen.Scan.contains(2), "\(seen)")
      #expect(seen.Activity.allSatisfy { !$0.isEmpty } && seen.LastLost == [0], "\(seen)")
      #expect(seen.Message.contains { $0.contains("scan 2 (second) is finished") }, "\(seen)")
    }

    /// The values of each variable, one after the other.
    private struct Seen: Decodable {
      let connections: Int
      let State, Activity, LastSample, Message: [String]
      let Scan, LastScan, LastLost: [Int]
    }
  }
}
