import Foundation
import Glibc
import Host
import Run
import Serve
import TestSupport
import Testing

@testable import ScanFiles

extension Pipeline {
  /// Scan after scan from one detector, and from a folder: each volume is that of its file.
  @Suite struct ServeTests {
    private let served: ServedFolder
    private var folder: TestFolder { served.folder }
    private var queue: ScanQueue { served.queue }

    init() throws { served = ServedFolder(try TestFolder()) }

    @Test(.enabled(if: Senders.python != nil, "Python with pyzmq cannot be installed"))
    func `Scans of changing shape sent back to back give the volumes of their files`() throws {
      let scans = [
        try served.scan("first"), try served.scan("second", rows: 3, projections: 45, seed: 2),
        try served.scan("third", columns: 48, projections: 70, seed: 3),
      ]
      let (sender, port) = try Senders.start(
        "send_scans.py", in: folder,
        [served.words(scans[0]), served.words(scans[1], "counts", "endless"), served.words(scans[2], "counts")])
      let server = try Command(["serve", try served.serveFile("zmq+pull://127.0.0.1:\(port)")])
      let entries = try served.settled(3, server)
      try served.stop(server)
      #expect(entries.map(\.state) == [.finished, .finished, .finished], "\(entries.map(\.reason))")
      #expect(entries.map(\.sample) == ["first", "second", "third"])
      #expect(entries.map(\.projections) == [60, 45, 70])
      #expect(entries.map(\.volumeSHA256) == (try scans.map(served.volume)))
      // The frames are not kept twice.
      #expect(entries.allSatisfy { access(queue.spool(of: $0.number), F_OK) != 0 })
      #expect(try sender.end().status == .exited(0))
    }

    @Test(.enabled(if: Senders.python != nil, "Python with pyzmq cannot be installed"))
    func `Nothing need be said of a detector but its address`() throws {
      let scan = try served.scan("wood", columns: 64, projections: 90)
      let (_, port) = try Senders.start("send_scans.py", in: folder, [served.words(scan, "counts", "measured")])
      let file = try served.serveFile("zmq+pull://127.0.0.1:\(port)", [])
      let server = try Command(["serve", file])
      let entries = try served.settled(1, server)
      try served.stop(server)
      let reference = try Command.run(
        "recon", scan.path, "--output-folder", folder.file("reference"), "--pixel-size", "0.002", "--quiet", "--json")
      let outcome = FileManager.default.contents(atPath: folder.file("served/queue/000001/outcome.json"))
      #expect(
        entries.map(\.volumeSHA256) == [try reference.result().volumeSHA256],
        "\(entries), \(outcome.map { String(decoding: $0, as: UTF8.self) } ?? "nothing") and \(reference.output)")
      #expect(entries[0].sample == "wood")
      // What the frames said of their measurement.
      let output = try #require(entries[0].output)
      let files = try FileManager.default.contentsOfDirectory(atPath: output)
      let volume = try HDF5File(path: "\(output)/\(#require(files.first { $0.hasSuffix("_rec.h5") }))")
      #expect(try volume.numbers("/entry/instrument/monochromator/energy") == [20.5])
      #expect(try volume.text(ofDataset: "/entry/sample/name") == "wood")
      #expect(try volume.text(ofAttribute: "voxel_size", of: "/exchange/data") == "2.0 um")
    }

    @Test(.enabled(if: Senders.python != nil, "Python with pyzmq cannot be installed"))
    func `Frames that are lost, and a scan that is broken off, are told, and the next scan is whole`() throws {
      let names = ["lost", "broken", "late", "whole"]
      let scans = try names.enumerated().map { try served.scan($1, seed: $0 + 1) }
      let (_, port) = try Senders.start(
        "send_scans.py", in: folder,
        [
          served.words(scans[0], "drop=20"), served.words(scans[1], "stop=40", "counts"),
          served.words(scans[2], "drop=0", "endless"), served.words(scans[3], "counts"),
        ])
      let server = try Command(["serve", try served.serveFile("zmq+pull://127.0.0.1:\(port)")])
      let entries = try served.settled(4, server)
      let errors = try served.stop(server)
      #expect(entries.map(\.state) == Array(repeating: .finished, count: 4), "\(entries.map(\.reason))")
      #expect(entries.map(\.projections) == [59, 35, 60, 60])
      #expect(entries[0].lost == 1)
      #expect(entries[3].volumeSHA256 == (try served.volume(scans[3])))
      // A dark field is missing where nobody knows with which number the detector begins.
      #expect(errors.components(separatedBy: "begins, with the detector's frame 1:").count == 2, "\(errors)")
      for (number, isLate) in [(1, false), (3, true)] {
        let shown = try Command.run("show", queue.folder, "\(number)", "--json").output
        #expect(shown.contains("the source's frame 1 is taken for the first one") == isLate, "\(shown)")
      }
    }

    @Test(.enabled(if: Senders.python != nil, "Python with pyzmq cannot be installed"))
    func `A scan that is taken out while it comes keeps its sample's name`() throws {
      // How many come is not said, and the end neither.
      let (_, port) = try Senders.start("send_scans.py", in: folder, [served.words(try served.scan("wood"), "stop=40")])
      let server = try Command(["serve", try served.serveFile("zmq+pull://127.0.0.1:\(port)")])
      try wait("the scan to come") { try served.queued().first?.state == .receiving }
      let removed = try Command.run("queue", "remove", queue.folder, "1")
      #expect(removed.status == .exited(0), "\(removed)")
      try wait("its name") { try served.queued().first?.sample == "wood" }
      try served.stop(server)
      #expect(try served.queued().map(\.state) == [.removed])
    }

    /// Processes of the server that a file describes.
    private func processes(of file: String) throws -> [String] {
      try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { process in
        guard Int32(process) != nil, let line = FileManager.default.contents(atPath: "/proc/\(process)/cmdline") else {
          return false
        }
        return String(decoding: line, as: UTF8.self).contains(file)
      }
    }

    @Test(.enabled(if: Senders.python != nil, "Python with pyzmq cannot be installed"))
    func `A scan that is taken out while it comes is one scan, also where everything is killed then`() throws {
      let scans = [try served.scan("wood"), try served.scan("bone", seed: 2)]
      let goOn = folder.file("go-on")
      let (_, port) = try Senders.start(
        "send_scans.py", in: folder,
        [served.words(scans[0], "wait=30@\(goOn)"), served.words(scans[1], "counts")])
      let file = try served.serveFile("zmq+pull://127.0.0.1:\(port)")
      let server = try Command(["serve", file])
      let spool = folder.file("served/queue/000001/spool/scan.json")
      try wait("the scan to come") { try served.queued().first?.state == .receiving && access(spool, F_OK) == 0 }
      let removed = try Command.run("queue", "remove", queue.folder, "1")
      #expect(removed.status == .exited(0), "\(removed)")
      try server.process.signal(SIGKILL)
      #expect(try server.end().status == .killed(signal: SIGKILL))
      // What is sent to a receiver that is about to die is lost with it.
      try wait("the end of the receiver") { try processes(of: file).isEmpty }
      let next = try Command(["serve", file])
      try wait("the next receiver") { try next.errorsSoFar().contains("serving camera") }
      try Data().write(to: URL(filePath: goOn))
      let entries = try served.settled(2, next)
      try served.stop(next)
      #expect(entries.map(\.state) == [.removed, .finished], "\(entries)")
      #expect(entries.map(\.sample) == ["wood", "bone"])
      #expect(entries.last?.volumeSHA256 == (try served.volume(scans[1])))
      // It has ended, so that what is there of it can go.
      let description = String(decoding: FileManager.default.contents(atPath: spool) ?? Data(), as: UTF8.self)
      #expect(description.contains("\"ended\""), "\(description)")
    }

    @Test(.enabled(if: Senders.python != nil, "Python with pyzmq cannot be installed"))
    func `A scan that cannot be reconstructed fails once, for the reason that its stage has said`() throws {
      let scans = [try served.scan("bare"), try served.scan("whole", seed: 2)]
      let (_, port) = try Senders.start(
        "send_scans.py", in: folder, [served.words(scans[0], "from=5", "counts"), served.words(scans[1])])
      let server = try Command(["serve", try served.serveFile("zmq+pull://127.0.0.1:\(port)")])
      let entries = try served.settled(2, server)
      let errors = try served.stop(server)
      #expect(entries.map(\.state) == [.failed, .finished], "\(entries)")
      #expect(entries.first?.reason?.contains("flat") == true, "\(entries)")
      #expect(!errors.contains("begun again"), "\(errors)")
      let outcome = FileManager.default.contents(atPath: folder.file("served/queue/000001/outcome.json")) ?? Data()
      #expect(String(decoding: outcome, as: UTF8.self).contains("\"exitCode\" : 65"), "\(outcome)")
    }

    @Test(.enabled(if: Senders.python != nil, "Python with pyzmq cannot be installed"))
    func `A server that is killed with all of its processes goes on where it was`() throws {
      let scans = [try served.scan("one"), try served.scan("two", seed: 2)]
      let (_, port) = try Senders.start(
        "send_scans.py", in: folder, [served.words(scans[0], "counts"), served.words(scans[1], "counts")])
      let file = try served.serveFile("zmq+pull://127.0.0.1:\(port)")
      let references = try scans.map(served.volume)
      let server = try Command(["serve", file])
      // Both scans are on disk, and the first is being reconstructed or done. A scan that is announced waits, or runs,
      // before its last frame is there.
      try wait("both scans") {
        let entries = try served.queued()
        guard entries.count == 2 else { return false }
        let spool = folder.file("served/queue/000002/spool/scan.json")
        let description = FileManager.default.contents(atPath: spool).map { String(decoding: $0, as: UTF8.self) }
        return entries[1].isOver || description?.contains("\"ended\"") == true
      }
      try server.process.signal(SIGKILL)
      #expect(try server.end().status == .killed(signal: SIGKILL))
      let next = try Command(["serve", file])
      let entries = try served.settled(2, next)
      try served.stop(next)
      #expect(entries.map(\.volumeSHA256) == references, "\(entries)")
    }

    @Test func `Files that are dropped into a folder are reconstructed, and one that is none stops nothing`() throws {
      try FileManager.default.createDirectory(atPath: folder.file("incoming"), withIntermediateDirectories: true)
      let good = try served.scan("good")
      try Data(repeating: 7, count: 1000).write(to: URL(filePath: folder.file("incoming/bad.h5")))
      let server = try Command(["serve", try served.serveFile("drop:incoming")])
      _ = try served.settled(1, server)
      try FileManager.default.copyItem(atPath: good.path, toPath: folder.file("incoming/good.h5"))
      var entries = try served.settled(2, server)
      #expect(entries.map(\.state) == [.failed, .finished])
      #expect(entries[0].reason?.contains("bad.h5") == true, "\(entries[0])")
      #expect(entries[1].volumeSHA256 == (try served.volume(good)))
      // By hand, and once more.
      let added = try Command.run("queue", "add", queue.folder, good.path)
      #expect(added.output == "3\n", "\(added)")
      entries = try served.settled(3, server)
      #expect(entries[2].volumeSHA256 == entries[1].volumeSHA256 && entries[2].output != entries[1].output)
      try served.stop(server)
      let listed = try Command.run("list", queue.folder)
      #expect(listed.output.split(separator: "\n").count == 4 && listed.output.contains("failed"), "\(listed)")
      let shown = try Command.run("show", queue.folder, "2")
      #expect(shown.output.contains("good_rec.h5") && shown.output.contains("projections:   60"), "\(shown)")
      expectFailure(66, try Command.run("show", queue.folder, "17"), "no scan 17")
      #expect(try Command.run("queue", "list", queue.folder).output.isEmpty)
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
      expectFailure(78, try refusal("folder: a\nkeep: 30\n" + sources), "bad.yaml:2", "30d")
      expectFailure(78, try refusal("folder: a\naddress: nowhere\n" + sources), "bad.yaml:2", "ADDRESS:PORT")
      expectFailure(78, try refusal("folder: a\non-change: tell\n" + sources), "bad.yaml:2", "whole path")
      expectFailure(78, try refusal("folder: a\nhook: ftp://x\n" + sources), "bad.yaml:2", "hook")
      expectFailure(78, try refusal("folder: a\nname: a b\n" + sources), "bad.yaml:2", "reverse proxy")
      try "algorythm: sirt\n".write(toFile: folder.file("scan.yaml"), atomically: true, encoding: .utf8)
      expectFailure(78, try refusal("folder: a\n" + sources + "    scan: scan.yaml\n"), "scan.yaml:1", "algorythm")
      expectFailure(66, try Command.run("serve", folder.file("none.yaml")), "none.yaml")
      expectFailure(66, try Command.run("list", folder.file("nothing")), "no folder of a server")
    }
  }
}
