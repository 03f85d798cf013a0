import Foundation
import Glibc
import Serve
import TestSupport
import Testing

extension Pipeline {
  /// Volumes and what failed scans left, removed where serve.yaml says so, also by a server that was killed meanwhile.
  @Suite struct ClearedScansTests {
    private let served: ServedFolder
    private var folder: TestFolder { served.folder }

    init() throws {
      served = ServedFolder(try TestFolder())
      try FileManager.default.createDirectory(atPath: folder.file("incoming"), withIntermediateDirectories: true)
    }

    /// Says in an entry that it is cleared, as a server does before it removes anything.
    private func mark(_ number: Int, _ key: String) throws {
      let path = folder.file("served/queue/00000\(number)/entry.json")
      let read = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path)))
      var entry = try #require(read as? [String: Any])
      entry["cleared"] = ["by": key, "time": 1e9]
      try JSONSerialization.data(withJSONObject: entry).write(to: URL(filePath: path))
    }

    @Test func `Volumes go when a key asks for it, the newest stays, and what a power cut left is removed`() throws {
      let file = try served.serveFile("drop:incoming")
      for (index, name) in ["first", "second", "third"].enumerated() {
        let scan = try served.scan(name, rows: 2, projections: 30, seed: index)
        try FileManager.default.copyItem(atPath: scan.path, toPath: folder.file("incoming/\(name).h5"))
      }
      try Data(repeating: 7, count: 1000).write(to: URL(filePath: folder.file("incoming/bad.h5")))
      var server = try Command(["serve", file])
      let entries = try served.settled(4, server)
      try served.stop(server)
      let finished = entries.filter { $0.state == .finished }, outputs = finished.compactMap(\.output)
      try #require(outputs.count == 3)
      let failed = try #require(entries.first { $0.state == .failed }).number
      // As of a run that broke off.
      let acquired = folder.file("served/runs/00000\(failed)")
      try FileManager.default.createDirectory(atPath: acquired + "/journals", withIntermediateDirectories: true)
      try "mine".write(toFile: outputs[0] + "/notes.txt", atomically: true, encoding: .utf8)
      // As if the power had gone when the first volume was about to be removed.
      try mark(finished[0].number, "volumes-at-most")
      var text = try String(contentsOfFile: file, encoding: .utf8)
      text = "keep-volumes: 0d\nkeep-failed: 0d\n" + text
      try text.write(toFile: file, atomically: true, encoding: .utf8)
      server = try Command(["serve", file])
      try wait("the volumes to be removed") {
        let said = try server.errorsSoFar()
        return said.components(separatedBy: "removed the volume").count == 3 && said.contains("what was acquired")
      }
      try served.stop(server)
      func volumes(_ output: String) -> [String] {
        let names = FileManager.default.enumerator(atPath: output)?.compactMap { $0 as? String } ?? []
        return names.filter { $0.hasSuffix("_rec.h5") }
      }
      #expect(outputs.map { volumes($0).count } == [0, 0, 1])
      #expect(try FileManager.default.contentsOfDirectory(atPath: outputs[0]) == ["notes.txt"])
      #expect(access(outputs[1], F_OK) != 0)
      #expect(access(acquired, F_OK) != 0)
      // It is said everywhere, and what is left is not removed again.
      let changes = try String(contentsOfFile: folder.file("served/changes.jsonl"), encoding: .utf8)
      #expect(changes.contains(#""by":"keep-volumes""#) && changes.contains(#""by":"keep-failed""#))
      let shown = try Command.run("show", served.queue.folder, "\(finished[1].number)")
      #expect(shown.output.contains("removed by keep-volumes"), "\(shown)")
      let last = try Command.run("show", served.queue.folder, "\(finished[2].number)")
      #expect(!last.output.contains("removed by"), "\(last)")
    }
  }
}
