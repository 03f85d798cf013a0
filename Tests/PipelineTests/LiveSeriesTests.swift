import Foundation
import Glibc
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// Volumes of parts of a scan that a detector sends, each while or as soon as its part comes.
  @Suite(.enabled(if: Senders.python != nil, "Python with pyzmq cannot be installed"))
  struct LiveSeriesTests {
    private let folder: TestFolder
    private let scan: String
    private static let (rows, columns, projections, darks, flats) = (2, 48, 70, 2, 3)
    private let method = ["--algorithm", "sirt", "--window-step", "0", "--format", "hdf5"]

    init() throws {
      folder = try TestFolder()
      scan = folder.file("long.h5")
      let outcome = try Command.run(
        "simulate", scan, "--rows", "\(Self.rows)", "--columns", "\(Self.columns)", "--projections",
        "\(Self.projections)", "--darks", "\(Self.darks)", "--flats", "\(Self.flats)", "--rotation-axis", "23",
        "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      try Senders.writeRaw(scan, to: folder.file("raw"), fields: true)
    }

    private struct Made: Decodable {
      struct Volume: Decodable {
        let projections: Int
        let result: RunResult?
        let failure: String?
      }
      let left: Int
      let received: Int?
      let lost: Int?
      let rotationAxis: Double?
      let outputs: [String]
      let volumes: [Volume]
      var hashes: [String?] { volumes.map { $0.result?.volumeSHA256 } }
    }

    private struct Status: Decodable {
      struct Volume: Decodable { let state: String }
      let state: String
      let received: Int?
      let isReceiving: Bool?
      let volumes: [Volume]
    }

    /// Files of a Zarr folder but for the one with its name.
    private func chunks(_ name: String) throws -> [String: Data] {
      let path = folder.file(name)
      let names = try FileManager.default.subpathsOfDirectory(atPath: path).filter { $0 != "zarr.json" }
      return Dictionary(
        uniqueKeysWithValues: names.map { ($0, FileManager.default.contents(atPath: "\(path)/\($0)") ?? Data()) })
    }

    private func made(_ outcome: Command.Outcome) throws -> Made {
      try JSONDecoder().decode(Made.self, from: Data(outcome.output.utf8))
    }

    private func status(_ name: String) throws -> Status {
      let outcome = try Command.run("status", "--json", folder.file(name))
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      return try JSONDecoder().decode(Status.self, from: Data(outcome.output.utf8))
    }

    /// Projections that came; nil before the series has begun.
    private func received(_ name: String) throws -> Int? {
      access(folder.file("\(name)/series.json"), F_OK) == 0 ? try status(name).received : nil
    }

    private func arguments(_ input: String, _ name: String, _ options: [String]) -> [String] {
      ["recon", input, "--output-folder", folder.file(name), "--json"] + method + options
    }

    /// The same parts of the scan's file.
    private func ofFile(_ options: [String]) throws -> Made {
      let outcome = try Command(arguments(scan, "file", options)).end()
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      return try made(outcome)
    }

    private static let shape = [
      "--shape", "\(rows),\(columns)", "--projections", "\(projections)", "--darks", "\(darks)", "--flats", "\(flats)",
    ]

    private func send(_ what: [String]) throws -> (command: Command, port: String) {
      let counts = [Self.rows, Self.columns, Self.darks, Self.flats, Self.projections].map(String.init)
      return try Senders.start("send_parts.py", in: folder, [folder.file("raw")] + counts + what)
    }

    private func live(_ port: String, _ name: String, _ options: [String], pattern: String = "pull") throws -> Command {
      try Command(arguments("zmq+\(pattern)://127.0.0.1:\(port)", name, Self.shape + options))
    }

    private static func axis(_ iterations: Int = 2) -> [String] {
      ["--rotation-axis", "23", "--volume-every", "30", "--final-iterations", "\(iterations)"]
    }

    /// The processes that take frames of a series, and those below whoever makes it.
    private func processes(of maker: Int32, named name: String) throws -> [Int32] {
      try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }.filter { process in
        guard let line = FileManager.default.contents(atPath: "/proc/\(process)/cmdline"),
          let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
          let fields = stat.split(separator: ")").last?.split(separator: " "), fields.count > 1
        else { return false }
        let words = line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        return Int32(fields[1]) == maker && words.contains(name)
      }
    }

    @Test(arguments: ["pull", "sub"])
    func `Volumes of a live scan are those of its file, bit for bit, the first while the scan goes on`(pattern: String)
      throws
    {
      let all = Self.axis() + ["--format", "all"]
      let reference = try ofFile(all)
      // The second part begins when the first volume is there.
      let first = folder.file("live/volume_00000/stream_rec.h5")
      let (sender, port) = try send(["wait=40:\(first)"] + (pattern == "sub" ? ["pub"] : []))
      let series = try live(port, "live", all, pattern: pattern)
      try wait("the first volume") { access(first, F_OK) == 0 }
      let outcome = try series.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try sender.end().status == .exited(0))
      let made = try made(outcome)
      #expect(made.hashes == reference.hashes && made.volumes.map(\.projections) == [30, 30])
      #expect(made.left == 10 && made.lost == 0 && made.volumes.allSatisfy { $0.failure == nil })
      #expect(made.outputs == ["h5", "zarr"].map { folder.file("live/stream_rec_series.\($0)") })
      // It grew with the second volume, and has all that was written at once.
      #expect(try chunks("live/stream_rec_series.zarr") == chunks("file/long_rec_series.zarr"))
      #expect(access(folder.file("live/spool"), F_OK) != 0)
      let status = try status("live")
      #expect(status.state == "finished" && status.isReceiving == false)
      #expect(status.volumes.map(\.state) == ["made", "made"])
    }

    @Test func `What DECTRIS sends is divided as well, and what is packed stays so until its volume`() throws {
      let reference = try ofFile(Self.axis())
      try Senders.writeRaw(scan, to: folder.file("projections"), fields: false)
      let counts = [Self.rows, Self.columns, Self.projections].map(String.init)
      let (sender, port) = try Senders.start(
        "send_dectris2.py", in: folder, [folder.file("projections")] + counts + ["bslz4", "start7 7:0-70 end7"])
      let shape = ["--shape", "\(Self.rows),\(Self.columns)", "--projections", "\(Self.projections)", "--fields", scan]
      let outcome = try Command(arguments("zmq+pull://127.0.0.1:\(port)", "live", shape + Self.axis())).end()
      try sender.process.signal(SIGKILL)
      _ = try sender.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try made(outcome).hashes == reference.hashes)
    }

    @Test(.enabled(if: Variable.isThere, "pvxs (Tools/pvaccess) or Python with pvapy and lz4 cannot be had"))
    func `What a process variable holds is divided as well`() throws {
      let reference = try ofFile(Self.axis()), variable = try Variable(folder: folder)
      let counts = [Self.rows, Self.columns, Self.darks, Self.flats, Self.projections].map(String.init)
      let sender = try variable.hold([folder.file("raw")] + counts + ["--rate", "100"])
      let series = try Command(
        arguments(variable.address, "live", Self.shape + Self.axis()), variables: variable.environment)
      try wait("the series to listen") { try series.errorsSoFar().contains("listening to 127.0.0.1") }
      try variable.send()
      let outcome = try series.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try made(outcome).hashes == reference.hashes)
      try variable.end(sender)
    }

    @Test func `All volumes have the axis that the first one shows`() throws {
      let (sender, port) = try send([])
      let options = ["--volume-every", "35", "--final-iterations", "2", "--theta-step", "5.142857142857143"]
      let outcome = try live(port, "live", options).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      _ = try sender.end()
      let made = try made(outcome)
      let axes = made.volumes.compactMap { $0.result?.rotationAxis }
      #expect(axes.count == 2 && axes[0] == axes[1] && axes[0] == made.rotationAxis)
      #expect(made.volumes[0].result?.rotationAxisError != nil && made.volumes[1].result?.rotationAxisError == nil)
    }

    @Test func `What is lost counts in its part, and no other volume is another`() throws {
      let reference = try ofFile(Self.axis())
      let (sender, port) = try send(["drop=15"])
      let outcome = try live(port, "live", Self.axis()).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      _ = try sender.end()
      let made = try made(outcome)
      #expect(made.volumes.map { $0.result?.lost } == [1, 0] && made.lost == 1)
      #expect(made.volumes.map { $0.result?.projections } == [29, 30])
      #expect(made.hashes[0] != reference.hashes[0] && made.hashes[1] == reference.hashes[1])
    }

    @Test func `A scan that is longer than was said gives its volumes, and the rest is not taken`() throws {
      let reference = try ofFile(Self.axis())
      let (sender, port) = try send(["more=40"])
      let outcome = try live(port, "live", Self.axis()).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      try sender.process.signal(SIGKILL)
      _ = try sender.end()
      #expect(try made(outcome).hashes == reference.hashes)
    }

    @Test func `A scan that stops short gives the volumes of what came, and names the others`() throws {
      let reference = try ofFile(Self.axis())
      let (sender, port) = try send(["stop=35"])
      let outcome = try live(port, "live", Self.axis()).end()
      expectFailure(65, outcome, "1 of 2 volumes are left out (1)", "none of its projections came")
      _ = try sender.end()
      let made = try made(outcome)
      #expect(made.hashes == [reference.hashes[0], nil])
      #expect(made.received == 30 && made.lost == 40)
      // The volume that has begun is made of what came of it.
      let (other, secondPort) = try send(["stop=45", "silent"])
      let short = try live(secondPort, "short", Self.axis() + ["--source-timeout", "1"]).end()
      #expect(short.status == .exited(0), "\(short.errors)")
      _ = try other.end()
      let parts = try self.made(short)
      #expect(parts.hashes[0] == reference.hashes[0])
      #expect(parts.volumes.map { $0.result?.projections } == [30, 10] && parts.volumes[1].result?.lost == 20)
    }

    @Test func `A scan is ended by a person, and volumes of what came are made`() throws {
      let (sender, port) = try send(["wait=45:\(folder.file("never"))"])
      let series = try live(port, "live", Self.axis())
      try wait("the frames") { try received("live") == 40 }
      let answer = try Command.run("finalize", folder.file("live"))
      #expect(answer.status == .exited(0), "\(answer.errors)")
      let outcome = try series.end()
      try sender.process.signal(SIGKILL)
      _ = try sender.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try made(outcome).volumes.map { $0.result?.projections } == [30, 10])
      expectFailure(69, try Command.run("finalize", folder.file("live")), "nobody makes the series")
    }

    @Test func `When all of its processes are killed, resume goes on to the same volumes, and loses nothing`() throws {
      let reference = try ofFile(Self.axis(400))
      let go = folder.file("go")
      let (sender, port) = try send(["wait=50:\(go)"])
      let series = try live(port, "live", Self.axis(400))
      // The frames up to the second part are taken, and its run has begun.
      try wait("the second run") { access(folder.file("live/volume_00001/run/plan.json"), F_OK) == 0 }
      try wait("the frames") { try received("live") == 45 }
      // The kernel ends the others with it.
      try series.process.signal(SIGKILL)
      _ = try series.end()
      #expect(try status("live").state == "stopped")
      try Data().write(to: URL(filePath: go))
      let outcome = try Command.run("resume", "--json", folder.file("live"))
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try sender.end().status == .exited(0))
      let made = try made(outcome)
      #expect(made.hashes == reference.hashes && made.lost == 0)
      // Nothing is made again.
      let again = try Command.run("resume", "--json", folder.file("live"))
      #expect(try self.made(again).volumes.map { $0.result?.run } == made.volumes.map { $0.result?.run })
    }

    @Test func `The process that takes frames is killed, and the next one goes on`() throws {
      let reference = try ofFile(Self.axis())
      let go = folder.file("go")
      let (sender, port) = try send(["wait=20:\(go)"])
      let series = try live(port, "live", Self.axis())
      try wait("the frames") { try received("live") == 15 }
      let intake = try #require(try processes(of: series.process.pid, named: "series-intake").first)
      kill(intake, SIGKILL)
      try wait("the next one") {
        try processes(of: series.process.pid, named: "series-intake").first.map { $0 != intake } ?? false
      }
      try Data().write(to: URL(filePath: go))
      let outcome = try series.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(outcome.errors.contains("was killed by signal 9; it is started again"), "\(outcome.errors)")
      _ = try sender.end()
      let made = try made(outcome)
      #expect(made.hashes == reference.hashes && made.lost == 0)
    }

    @Test func `SIGTERM ends it, what came stays, and the same command goes on`() throws {
      let reference = try ofFile(Self.axis())
      let go = folder.file("go")
      let (sender, port) = try send(["wait=50:\(go)"])
      let series = try live(port, "live", Self.axis())
      try wait("the frames") { try received("live") == 45 }
      try series.process.signal(SIGTERM)
      #expect(try series.end().status == .exited(128 + SIGTERM))
      #expect(try processes(of: 1, named: folder.file("live")).isEmpty)
      try Data().write(to: URL(filePath: go))
      let outcome = try live(port, "live", Self.axis()).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try sender.end().status == .exited(0))
      #expect(try made(outcome).hashes == reference.hashes)
    }

    @Test func `What cannot be a live series is refused, at once and in a line`() throws {
      let port = try freePort()
      for (input, options, code, words) in [
        ("watch:\(folder.file(""))", Self.shape + Self.axis(), 64, "and not watch:"),
        (
          "zmq+pull://127.0.0.1:\(port)", Self.shape + Self.axis() + ["--stop-hook", "http://127.0.0.1:1/"], 64,
          "stop-hook"
        ),
        (
          "zmq+pull://127.0.0.1:\(port)", Self.shape + ["--volume-every", "71"], 65,
          "needs more than the 70 projections"
        ),
        (
          "zmq+pull://127.0.0.1:\(port)", Self.shape + Self.axis() + ["--source-timeout", "0.3"], 69,
          "no projection came"
        ),
      ] {
        let outcome = try Command(arguments(input, "none", options)).end()
        expectFailure(Int32(code), outcome, words)
      }
      // Frames, volumes and journals of some 20 TiB.
      let large = ["--shape", "2000,2000", "--projections", "1000000", "--volume-every", "4000"]
      let refused = try Command(arguments("zmq+pull://127.0.0.1:\(port)", "large", large)).end()
      expectFailure(73, refused, "the series needs", "for frames as they come")
      #expect(access(folder.file("large"), F_OK) != 0)
      // Nobody takes what is sent in another shape.
      let (sender, other) = try send(["silent"])
      let wrong = [
        "--shape", "\(Self.columns),\(Self.rows)", "--projections", "70", "--source-timeout", "1", "--rotation-axis",
        "1",
        "--volume-every", "30",
      ]
      let outcome = try Command(arguments("zmq+pull://127.0.0.1:\(other)", "wrong", wrong)).end()
      try sender.process.signal(SIGKILL)
      _ = try sender.end()
      #expect(outcome.status == .exited(65) && outcome.errors.contains("the wrong way round"), "\(outcome.errors)")
    }
  }
}
