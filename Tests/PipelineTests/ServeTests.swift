import Foundation
import Glibc
import Host
import Run
import Serve
import TestSupport
import Testing

extension Pipeline {
  /// Scan after scan from one detector, and from a folder: each volume is that of its file.
  @Suite struct ServeTests {
    private let folder: TestFolder
    /// What every scan is reconstructed with.
    private let options = [
      "algorithm: sirt", "final-iterations: 2", "window-length: 6", "workers: 2", "rotation-axis: 24",
    ]

    private struct Scan {
      let name: String
      let path: String
      let (rows, columns, projections): (Int, Int, Int)
    }

    init() throws { folder = try TestFolder() }

    /// A scan with two darks and three flats, as a file and as its images one after the other.
    private func scan(_ name: String, rows: Int = 5, columns: Int = 48, projections: Int = 60, seed: Int = 1) throws
      -> Scan
    {
      let path = folder.file("\(name).h5")
      let outcome = try Command.run(
        "simulate", path, "--rows", "\(rows)", "--columns", "\(columns)", "--projections", "\(projections)", "--darks",
        "2", "--flats", "3", "--seed", "\(seed)", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      try Senders.writeRaw(path, to: folder.file("\(name).raw"), fields: true)
      return Scan(name: name, path: path, rows: rows, columns: columns, projections: projections)
    }

    /// What the sender is told of a scan.
    private func words(_ scan: Scan, _ what: String...) -> String {
      ([scan.name, folder.file("\(scan.name).raw")]
        + [scan.rows, scan.columns, 2, 3, scan.projections].map { "\($0)" } + what).joined(separator: ":")
    }

    private func volume(_ scan: Scan) throws -> String? {
      let outcome = try Command.run(
        "recon", scan.path, "--output-folder", folder.file("reference-\(scan.name)"), "--algorithm", "sirt",
        "--final-iterations", "2", "--window-length", "6", "--workers", "2", "--rotation-axis", "24", "--quiet",
        "--json")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      return try outcome.result().volumeSHA256
    }

    /// Writes serve.yaml with one source; gives its path.
    private func serveFile(_ address: String, _ options: [String]? = nil) throws -> String {
      try (options ?? self.options).joined(separator: "\n").write(
        toFile: folder.file("scan.yaml"), atomically: true, encoding: .utf8)
      let text = """
        folder: served
        output: "{sample}_{number}"
        sources:
          camera:
            address: \(address)
            scan: scan.yaml
            silence: 3
        """
      try text.write(toFile: folder.file("serve.yaml"), atomically: true, encoding: .utf8)
      return folder.file("serve.yaml")
    }

    private var queue: ScanQueue { ScanQueue(folder: folder.file("served")) }

    private func queued() throws -> [QueueEntry] {
      guard access(folder.file("served/queue"), F_OK) == 0 else { return [] }
      return try queue.numbers().compactMap { try queue.entry($0) }
    }

    /// Waits until there are so many scans and nothing is to be done with any.
    private func settled(_ count: Int, _ server: Command, within limit: Duration = .seconds(90)) throws -> [QueueEntry]
    {
      let deadline = Deadline(after: limit)
      while true {
        let entries = try queued()
        if entries.count >= count, entries.allSatisfy(\.isOver) { return entries }
        guard !deadline.hasPassed else {
          Issue.record("after \(limit): \(entries); \(try server.errorsSoFar())")
          return entries
        }
        usleep(50_000)
      }
    }

    private func stop(_ server: Command) throws {
      try server.process.signal(SIGTERM)
      let outcome = try server.end(within: .seconds(40))
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
    }

    @Test(.enabled(if: Senders.python != nil, "Python with pyzmq cannot be installed"))
    func `Scans of changing shape sent back to back give the volumes of their files`() throws {
      let scans = [
        try scan("first"), try scan("second", rows: 3, projections: 45, seed: 2),
        try scan("third", columns: 48, projections: 70, seed: 3),
      ]
      let (sender, port) = try Senders.start(
        "send_scans.py", in: folder,
        [words(scans[0]), words(scans[1], "counts", "endless"), words(scans[2], "counts")])
      let server = try Command(["serve", try serveFile("zmq+pull://127.0.0.1:\(port)")])
      let entries = try settled(3, server)
      try stop(server)
      #expect(entries.map(\.state) == [.finished, .finished, .finished], "\(entries.map(\.reason))")
      #expect(entries.map(\.sample) == ["first", "second", "third"])
      #expect(entries.map(\.projections) == [60, 45, 70])
      #expect(entries.map(\.volumeSHA256) == (try scans.map(volume)))
      // The frames are not kept twice.
      #expect(entries.allSatisfy { access(queue.spool(of: $0.number), F_OK) != 0 })
      #expect(try sender.end().status == .exited(0))
    }

    @Test(.enabled(if: Senders.python != nil, "Python with pyzmq cannot be installed"))
    func `Nothing need be said of a detector but its address`() throws {
      let scan = try scan("wood", columns: 64, projections: 90)
      let (_, port) = try Senders.start("send_scans.py", in: folder, [words(scan, "counts")])
      let file = try serveFile("zmq+pull://127.0.0.1:\(port)", [])
      let server = try Command(["serve", file])
      let entries = try settled(1, server)
      try stop(server)
      let reference = try Command.run(
        "recon", scan.path, "--output-folder", folder.file("reference"), "--quiet", "--json")
      #expect(entries.map(\.volumeSHA256) == [try reference.result().volumeSHA256], "\(entries)")
      #expect(entries[0].sample == "wood")
    }

    @Test(.enabled(if: Senders.python != nil, "Python with pyzmq cannot be installed"))
    func `Frames that are lost, and a scan that is broken off, are told, and the next scan is whole`() throws {
      let scans = [try scan("lost"), try scan("broken", seed: 2), try scan("whole", seed: 3)]
      let (_, port) = try Senders.start(
        "send_scans.py", in: folder,
        [words(scans[0], "drop=20"), words(scans[1], "stop=40", "counts"), words(scans[2], "counts")])
      let server = try Command(["serve", try serveFile("zmq+pull://127.0.0.1:\(port)")])
      let entries = try settled(3, server)
      try stop(server)
      #expect(entries.map(\.state) == [.finished, .finished, .finished], "\(entries.map(\.reason))")
      #expect(entries.map(\.projections) == [59, 35, 60])
      #expect(entries[0].lost == 1)
      #expect(entries[2].volumeSHA256 == (try volume(scans[2])))
    }

    @Test(.enabled(if: Senders.python != nil, "Python with pyzmq cannot be installed"))
    func `A server that is killed with all of its processes goes on where it was`() throws {
      let scans = [try scan("one"), try scan("two", seed: 2)]
      let (_, port) = try Senders.start(
        "send_scans.py", in: folder, [words(scans[0], "counts"), words(scans[1], "counts")])
      let file = try serveFile("zmq+pull://127.0.0.1:\(port)")
      let references = try scans.map(volume)
      let server = try Command(["serve", file])
      // Both scans are on disk, and the first is being reconstructed or done.
      try wait("both scans") { try queued().count == 2 && queued()[1].state != .receiving }
      try server.process.signal(SIGKILL)
      #expect(try server.end().status == .killed(signal: SIGKILL))
      let next = try Command(["serve", file])
      let entries = try settled(2, next)
      try stop(next)
      #expect(entries.map(\.volumeSHA256) == references, "\(entries)")
    }

    @Test func `Files that are dropped into a folder are reconstructed, and one that is none stops nothing`() throws {
      try FileManager.default.createDirectory(atPath: folder.file("incoming"), withIntermediateDirectories: true)
      let good = try scan("good")
      try Data(repeating: 7, count: 1000).write(to: URL(filePath: folder.file("incoming/bad.h5")))
      let server = try Command(["serve", try serveFile("drop:incoming")])
      _ = try settled(1, server)
      try FileManager.default.copyItem(atPath: good.path, toPath: folder.file("incoming/good.h5"))
      var entries = try settled(2, server)
      #expect(entries.map(\.state) == [.failed, .finished])
      #expect(entries[0].reason?.contains("bad.h5") == true, "\(entries[0])")
      #expect(entries[1].volumeSHA256 == (try volume(good)))
      // By hand, and once more.
      let added = try Command.run("queue", "add", queue.folder, good.path)
      #expect(added.output == "3\n", "\(added)")
      entries = try settled(3, server)
      #expect(entries[2].volumeSHA256 == entries[1].volumeSHA256 && entries[2].output != entries[1].output)
      try stop(server)
      let listed = try Command.run("queue", "list", queue.folder)
      #expect(listed.output.split(separator: "\n").count == 3 && listed.output.contains("failed"))
      expectFailure(64, try Command.run("queue", "retry", queue.folder, "2"), "finished")
      expectFailure(66, try Command.run("queue", "remove", queue.folder, "17"), "no scan 17")
    }

    @Test func `Mistakes in its file are told with their line`() throws {
      func refusal(_ text: String) throws -> Command.Outcome {
        try text.write(toFile: folder.file("bad.yaml"), atomically: true, encoding: .utf8)
        return try Command.run("serve", "--check", folder.file("bad.yaml"))
      }
      let sources = "sources:\n  camera:\n    address: zmq+pull://127.0.0.1:9999\n"
      expectFailure(78, try refusal("folder: a\nrunz: 3\n" + sources), "bad.yaml:2", "runz")
      expectFailure(78, try refusal("folder: a\noutput: same\n" + sources), "bad.yaml:2", "{number}")
      expectFailure(78, try refusal("folder: a\n"), "sources")
      expectFailure(78, try refusal("folder: a\nsources:\n  c:\n    address: tcp://x:1\n"), "bad.yaml:4", "address")
      expectFailure(78, try refusal("folder: a\nruns: 0\n" + sources), "bad.yaml:2", "runs")
      try "algorythm: sirt\n".write(toFile: folder.file("scan.yaml"), atomically: true, encoding: .utf8)
      expectFailure(78, try refusal("folder: a\n" + sources + "    scan: scan.yaml\n"), "scan.yaml:1", "algorythm")
      expectFailure(66, try Command.run("serve", folder.file("none.yaml")), "none.yaml")
      expectFailure(66, try Command.run("queue", "list", folder.file("nothing")), "no folder of a server")
    }
  }
}
