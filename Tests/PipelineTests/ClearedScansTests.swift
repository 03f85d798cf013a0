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

    /// Changes an entry as it lies on disk.
    private func change(_ number: Int, _ key: String, _ value: Any) throws {
      let path = folder.file("served/queue/00000\(number)/entry.json")
      let read = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path)))
      var entry = try #require(read as? [String: Any])
      entry[key] = value
      try JSONSerialization.data(withJSONObject: entry).write(to: URL(filePath: path))
    }

    /// Says in an entry that it is cleared, as a server does before it removes anything.
    private func mark(_ number: Int, _ key: String) throws {
      try change(number, "cleared", ["by": key, "time": 1e9])
    }

    @Test func `Volumes go when a key asks for it, the newest stays, and what a power cut left is removed`() throws {
      let file = try served.serveFile("drop:incoming")
      for (index, name) in ["first", "second", "third", "removed"].enumerated() {
        let scan = try served.scan(name, rows: 2, projections: 30, seed: index)
        try FileManager.default.copyItem(atPath: scan.path, toPath: folder.file("incoming/\(name).h5"))
      }
      try Data(repeating: 7, count: 1000).write(to: URL(filePath: folder.file("incoming/bad.h5")))
      var server = try Command(["serve", file])
      let entries = try served.settled(5, server)
      try served.stop(server)
      let done = entries.filter { $0.state == .finished }
      let finished = done.filter { $0.sample != "removed" }, outputs = finished.compactMap(\.output)
      try #require(outputs.count == 3 && done.count == 4)
      // As of a scan that somebody took out when all was written, and whose process was killed then.
      let removed = try #require(done.first { $0.sample == "removed" }), removedOutput = try #require(removed.output)
      try change(removed.number, "state", "removed")
      try FileManager.default.removeItem(atPath: folder.file("served/queue/00000\(removed.number)/outcome.json"))
      try "1 \(String(repeating: "0", count: 32))".write(
        toFile: removedOutput + "/.slipring-lock", atomically: true, encoding: .utf8)
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
        let isRemoved = [failed, removed.number].allSatisfy { said.contains("acquired of scan \($0),") }
        return said.components(separatedBy: "removed the volume").count == 3 && isRemoved
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
      #expect(access(removedOutput, F_OK) != 0)
      #expect(try server.errorsSoFar().contains("what was written of the volume of scan \(removed.number), removed"))
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
