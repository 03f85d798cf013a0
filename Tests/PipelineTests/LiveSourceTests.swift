import Detectors
import Foundation
import Glibc
import Host
import Journal
import Rings
import Run
import RunModel
import ScanPlan
import Simulation
import TestSupport
import Testing

@testable import ScanFiles

extension Pipeline {
  /// Detectors that send: the same scan from a stream and from its file.
  @Suite struct LiveSourceTests {
    private let folder: TestFolder
    private let scan: String
    private static let (rows, columns, projections, darks, flats) = (5, 48, 60, 2, 3)

    init() throws {
      folder = try TestFolder()
      scan = folder.file("foam.h5")
      let outcome = try Command.run(
        "simulate", scan, "--rows", "\(Self.rows)", "--columns", "\(Self.columns)", "--projections",
        "\(Self.projections)", "--darks",
        "\(Self.darks)", "--flats", "\(Self.flats)", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
    }

    private func recon(_ input: String, _ name: String, _ options: [String] = [], faults: String? = nil) throws
      -> Command
    {
      try Command(
        [
          "recon", input, "--algorithm", "sirt", "--output-folder", folder.file(name), "--run-folder",
          folder.file(name + "-run"),
          "--rotation-axis", "24",
          "--window-length", "6", "--final-iterations", "2", "--workers", "2", "--lag-max", "0", "--quiet", "--json",
        ] + options, faults: faults)
    }

    /// What is said of the detector.
    private var shape: [String] { ["--shape", "\(Self.rows),\(Self.columns)", "--projections", "\(Self.projections)"] }
    private var fields: [String] { ["--darks", "\(Self.darks)", "--flats", "\(Self.flats)"] }

    /// A virtual detector at a free port.
    private func simulate(_ options: [String]) throws -> (command: Command, address: String) {
      let port = try freePort()
      let command = try Command(
        ["simulate", "--stream", "zmq+push://127.0.0.1:\(port)", "--scan", scan, "--json"] + options)
      return (command, "zmq+pull://127.0.0.1:\(port)")
    }

    private func status(_ name: String) throws -> RunStatus {
      try JSONDecoder().decode(
        RunStatus.self, from: Data(contentsOf: URL(filePath: folder.file(name + "-run/status.json"))))
    }

    private func losses(_ name: String) throws -> LossReport {
      try JSONDecoder().decode(
        LossReport.self, from: Data(contentsOf: URL(filePath: folder.file(name + "-run/losses.json"))))
    }

    @Test(
      .enabled(if: Senders.python != nil, "Python with pyzmq and lz4 cannot be installed"),
      arguments: ["uint16", ">u2"])
    func `What pyzmq sends as array-1.0 gives the volume that the file gives, bit for bit`(type: String) throws {
      let reference = try recon(scan, "reference").end().result()
      try Senders.writeRaw(scan, to: folder.file("raw"), fields: true)
      let counts = [Self.rows, Self.columns, Self.darks, Self.flats, Self.projections].map(String.init)
      let (sender, port) = try Senders.start("send_array.py", in: folder, [folder.file("raw")] + counts + [type])
      let outcome = try recon("zmq+pull://127.0.0.1:\(port)", "live", shape + fields).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.volumeSHA256 == reference.volumeSHA256)
      #expect(
        result.projections == Self.projections && result.lost == 0 && result.lostFields == 0 && result.duplicates == 0)
      #expect(try sender.end().status == .exited(0))
    }

    @Test(
      .enabled(if: Senders.python != nil, "Python with pyzmq and lz4 cannot be installed"),
      arguments: ["<", "lz4<", "bs16-lz4<"])
    func `What is sent as DECTRIS stream 1 gives the volume that the file gives, bit for bit`(encoding: String) throws {
      let reference = try recon(scan, "reference").end().result()
      try Senders.writeRaw(scan, to: folder.file("raw"), fields: false)
      let counts = [Self.rows, Self.columns, Self.projections].map(String.init)
      // The end comes when all images are there already: a sender that pushes waits until somebody takes it.
      let (sender, port) = try Senders.start(
        "send_dectris.py", in: folder, [folder.file("raw")] + counts + [encoding, "0.3"])
      let outcome = try recon("zmq+pull://127.0.0.1:\(port)", "live", shape + ["--fields", scan]).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try outcome.result().volumeSHA256 == reference.volumeSHA256)
      #expect(try sender.end(within: .seconds(30)).status == .exited(0))
    }

    @Test(.enabled(if: Senders.python != nil, "Python with pyzmq and lz4 cannot be installed"))
    func `A detector that sends no angles takes them in the order that was said`() throws {
      let spread = folder.file("spread.h5")
      let counts = [Self.rows, Self.columns, Self.darks, Self.flats, Self.projections].map(String.init)
      let simulated = try Command.run(
        "simulate", spread, "--rows", counts[0], "--columns", counts[1], "--darks", counts[2], "--flats", counts[3],
        "--projections",
        counts[4], "--order", "golden", "--quiet")
      try #require(simulated.status == .exited(0), "\(simulated.errors)")
      let reference = try recon(spread, "reference").end().result()
      try Senders.writeRaw(spread, to: folder.file("raw"), fields: true)
      let (sender, port) = try Senders.start(
        "send_array.py", in: folder, [folder.file("raw")] + counts + ["uint16", "silent"])
      let outcome = try recon("zmq+pull://127.0.0.1:\(port)", "live", shape + fields + ["--order", "golden"]).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try outcome.result().volumeSHA256 == reference.volumeSHA256)
      // They are in the output as those of the file are.
      let degrees = try ["live/stream", "reference/spread"].map {
        try HDF5File(path: folder.file("\($0)_rec.h5")).numbers("/entry/reconstruction/parameters/rotation_angle")
      }
      #expect(degrees[0] == degrees[1] && degrees[0].count == Self.projections)
      #expect(try sender.end().status == .exited(0))
    }

    @Test func `The virtual detector's stream gives the volume that its file gives, from a few rows too`() throws {
      let rows = ["--start-row", "1", "--end-row", "4"]
      let reference = try recon(scan, "reference", rows).end().result()
      let (detector, address) = try simulate(["--rate", "500"])
      let outcome = try recon(address, "live", shape + fields + rows).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try outcome.result().volumeSHA256 == reference.volumeSHA256)
      #expect(try detector.end().status == .exited(0))
    }

    @Test func `What a faulty detector loses, repeats and mixes up is in the ledger, exactly`() throws {
      let (detector, address) = try simulate([
        "--drop-fraction", "0.15", "--duplicate-fraction", "0.1", "--reorder", "5", "--stall", "0.5", "--seed", "3",
      ])
      let outcome = try recon(address, "live", shape + fields).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let sent = try JSONDecoder().decode(ScanSender.SendReport.self, from: Data(detector.end().output.utf8))
      let (result, losses) = (try outcome.result(), try losses("live"))
      #expect(!sent.dropped.isEmpty && sent.duplicates > 0)
      #expect(losses.gaps.flatMap { Array($0[0]...$0[1]) }.map(Int.init) == sent.dropped)
      #expect(
        losses.counts.lost == sent.dropped.count && losses.counts.duplicates == sent.duplicates
          && losses.counts.late > 0)
      #expect(result.lost == losses.counts.lost && result.duplicates == losses.counts.duplicates)
      let status = try JSONDecoder().decode(
        RunStatus.self, from: Data(contentsOf: URL(filePath: folder.file("live-run/status.json"))))
      #expect(status.losses?.lost == losses.counts.lost && status.losses?.late == losses.counts.late)
      #expect(result.projections == Self.projections - sent.dropped.count)
    }

    @Test func `Lost projections are interpolated where that is asked for`() throws {
      let (detector, address) = try simulate(["--drop-fraction", "0.1", "--seed", "2"])
      let outcome = try recon(address, "live", shape + fields + ["--on-gap", "interpolate"]).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let sent = try JSONDecoder().decode(ScanSender.SendReport.self, from: Data(detector.end().output.utf8))
      let losses = try losses("live")
      #expect(losses.counts.lost == sent.dropped.count && losses.counts.interpolated > 0)
      #expect(try outcome.result().projections == Self.projections - losses.counts.lost + losses.counts.interpolated)
    }

    /// Kills `acquire` of a run once that has so many projections.
    private func killAcquire(of name: String, after count: Int) throws {
      let status = try waitForImages(count, of: folder.file(name + "-run"))
      let acquire = status.stages.first { $0.name == "acquire" }?.pid ?? 0
      try #require(acquire > 0 && kill(acquire, SIGKILL) == 0)
    }

    @Test func `What acquire misses while it is dead is in the ledger, and nothing else`() throws {
      let (detector, address) = try simulate(["--rate", "40"])
      let command = try recon(address, "live", shape + fields)
      try killAcquire(of: "live", after: 10)
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let (result, losses) = (try outcome.result(), try losses("live"))
      #expect(result.restarts["acquire"] == 1)
      // One gap: what was sent between the last image of the one life and the first of the next.
      #expect(losses.gaps.count <= 1 && losses.counts.duplicates == 0 && losses.counts.late == 0, "\(losses)")
      #expect(
        result.projections + losses.counts.lost == Self.projections && result.lost == losses.counts.lost, "\(losses)")
      #expect(try detector.end().status == .exited(0))
    }

    /// The numbers of the frames in the journal of `projections`, in their order.
    private func framesKept(_ name: String) throws -> [UInt64] {
      let plan = try Data(contentsOf: URL(filePath: folder.file(name + "-run/plan.json")))
      let ring = try JSONDecoder().decode(RunPlan.self, from: plan).ring(.projections)
      let device = try PwriteDevice(folder: folder.file(name + "-run/journal/projections.0"))
      let journal = JournalReader(device: device, identity: ring.identity, stride: ring.slotStride)
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: ring.slotStride, alignment: 4096)
      defer { buffer.deallocate() }
      return try journal.sequences().joined().compactMap { sequence in
        let record = try journal.read(sequence: sequence, into: buffer)
        return record.header.kind == .projection ? record.metadata.loadUnaligned(as: UInt64.self) : nil
      }
    }

    /// Nanoseconds since 1970 at which a stage's process said something for the `life`-th time.
    private func time(_ message: String, life: Int, of stage: String, in name: String) throws -> Double? {
      let log = try String(contentsOfFile: folder.file("\(name)-run/log/\(stage).jsonl"), encoding: .utf8)
      let format = Date.ISO8601FormatStyle.iso8601(timeZone: .gmt, includingFractionalSeconds: true)
      let times = try log.split(separator: "\n").map {
        try JSONDecoder().decode([String: String].self, from: Data($0.utf8))
      }
      .filter { $0["message"] == message }.compactMap { try $0["time"].map { try format.parse($0) } }
      return life <= times.count ? times[life - 1].timeIntervalSince1970 * 1e9 : nil
    }

    @Test(.enabled(if: Senders.python != nil, "Python with pyzmq and lz4 cannot be installed"))
    func `What acquire loses by its death is what the detector sent meanwhile, frame by frame`() throws {
      let (count, log) = (600, folder.file("sent.txt"))
      let (detector, port) = try Senders.start("send_log.py", in: folder, [log, "4", "48", "\(count)", "200"])
      let command = try recon("zmq+sub://127.0.0.1:\(port)", "live", ["--shape", "4,48", "--projections", "\(count)"])
      try killAcquire(of: "live", after: 50)
      let killed = Double(Machine.realtimeNanoseconds)
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try detector.end().status == .exited(0))
      let sent = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
        .map { line in try line.split(separator: " ").map { try #require(Double($0)) } }
      let (kept, losses) = (try framesKept("live"), try losses("live"))
      let missing = Set(sent.map { UInt64($0[0]) }).subtracting(kept).sorted()
      #expect(sent.count == count && losses.gaps.flatMap { Array($0[0]...$0[1]) } == missing, "\(losses.gaps)")
      #expect(try outcome.result().lost == missing.count && kept.count + missing.count == count)
      // One gap, and in it at least all that was sent between the one life and the next.
      let reborn = try #require(try time("started", life: 2, of: "acquire", in: "live"))
      let down = sent.filter { (killed..<reborn).contains($0[1]) }.map { UInt64($0[0]) }
      #expect(!down.isEmpty && Set(down).isSubset(of: missing), "\(down) \(missing)")
      #expect(losses.gaps.count == 1 && losses.counts.duplicates == 0 && losses.counts.late == 0, "\(losses)")
      // What was sent before the kill and is missing had not reached the disk by then: it comes right behind what had.
      let before = kept.prefix { $0 < missing.first ?? 0 }
      #expect(before.count == missing.first.map(Int.init) && before.elementsEqual(0..<UInt64(before.count)))
    }

    @Test func `A subscriber gets what a publisher sends, or has it in the ledger`() throws {
      let port = try freePort()
      let detector = try Command([
        "simulate", "--stream", "zmq+pub://127.0.0.1:\(port)", "--scan", scan, "--rate", "200", "--quiet",
      ])
      let outcome = try recon("zmq+sub://127.0.0.1:\(port)", "live", shape + fields).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.projections > 0 && result.projections + result.lost + result.lostFields >= Self.projections)
      #expect(try detector.end().status == .exited(0))
    }

    @Test func `A fast detector is taken without a loss while the reconstruction goes at its own pace`() throws {
      let rounds = 30
      let (detector, address) = try simulate([
        "--rate", "2000", "--rounds", "\(rounds)", "--duplicate-fraction", "0.01", "--seed", "5",
      ])
      let outcome = try recon(
        address, "live",
        ["--shape", "\(Self.rows),\(Self.columns)", "--projections", "\(Self.projections * rounds)"] + fields
          + ["--window-step", "6", "--final-iterations", "0", "--lag-max", "12"]
      ).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let (result, sent) = (
        try outcome.result(),
        try JSONDecoder().decode(ScanSender.SendReport.self, from: Data(detector.end().output.utf8))
      )
      #expect(
        result.projections == Self.projections * rounds && result.lost == 0 && result.duplicates == sent.duplicates)
    }

    /// What Tools/live-rate says.
    private struct Rate: Decodable {
      let frames: Int
      let rate: Double
      let lost: Int
      let cpuMillisecondsAFrame: [String: Double]
    }

    @Test(.enabled(if: access("/usr/bin/python3", X_OK) == 0, "python3 is not installed"))
    func `One command measures how fast a stream is taken, and leaves nothing behind`() throws {
      let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
      let place = folder.file("rate")
      try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
      let options = ["--rate", "400", "--seconds", "1", "--shape", "8,64", "--threads", "1", "--folder", place]
      let script = root.appending(path: "Tools/live-rate.py").path
      let outcome = try Command([script, Command.executable] + options, executable: "/usr/bin/python3").end(
        within: .seconds(240))
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let report = try JSONDecoder().decode(Rate.self, from: Data(outcome.output.utf8))
      #expect(report.frames == 400 && report.lost == 0 && report.rate > 0 && report.rate < 500)
      #expect(report.cpuMillisecondsAFrame["acquire"] ?? 0 > 0 && report.cpuMillisecondsAFrame["sender"] ?? 0 > 0)
      #expect(try folder.names(in: "rate").isEmpty)
    }

    @Test func `Flats and darks that come last are used by the final iterations as if they had come first`() throws {
      let once = ["--window-step", "0", "--final-iterations", "4"]
      let reference = try recon(scan, "reference", once).end().result()
      let (detector, address) = try simulate(["--fields-last"])
      let outcome = try recon(address, "live", shape + fields + once).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try outcome.result().volumeSHA256 == reference.volumeSHA256 && outcome.result().lostFields == 0)
      #expect(try detector.end().status == .exited(0))
    }

    @Test func `With fields that come last windows wait for them, and a worker that dies changes no bit`() throws {
      var checksums: Set<String?> = []
      for (name, faults) in [
        ("whole", nil), ("killed", "reconstruct.0=unreleased:40,flip-before:1;reconstruct.1=unreleased:64"),
      ] {
        let (detector, address) = try simulate(["--fields-last"])
        let command = try recon(
          address, name, shape + fields + ["--window-length", "12", "--checkpoint-every", "1"], faults: faults)
        let outcome = try command.end()
        #expect(outcome.status == .exited(0), "\(outcome.errors)")
        let result = try outcome.result()
        #expect(result.restarts["reconstruct.0"] == (faults == nil ? 0 : 2), "\(result.restarts)")
        #expect(result.projections == Self.projections && result.updates < Self.projections)
        checksums.insert(result.volumeSHA256)
        #expect(try detector.end().status == .exited(0))
      }
      #expect(checksums.count == 1 && !checksums.contains(nil))
    }

    @Test func `Filters of whole projections refuse a scan whose fields come last`() throws {
      let (detector, address) = try simulate(["--fields-last"])
      let outcome = try recon(address, "live", shape + fields + ["--zingers", "0.5"]).end()
      expectFailure(65, outcome, "no flat field came before the first projection", "--zingers")
      #expect(try regions(of: status("live").run).isEmpty)
      try detector.process.signal(SIGINT)
      _ = try detector.end()
    }

    @Test func `That the sender's images are of no use is said while it still sends`() throws {
      let (detector, address) = try simulate(["--rate", "20"])
      let command = try Command(
        [
          "recon", address, "--output-folder", folder.file("live"), "--run-folder", folder.file("live-run"), "--shape",
          "\(Self.rows + 1),\(Self.columns)", "--projections", "\(Self.projections)", "--rotation-axis", "24",
        ] + fields)
      let detail = "5 × 48 came, 6 × 48 was wanted: --shape says rows,columns"
      let line =
        "messages of the source are dropped: wrong-shape (\(detail)); \(folder.file("live-run"))/log/acquire.jsonl"
      try wait("a word of it") { try command.errorsSoFar().contains(line) }
      #expect(try detector.process.reap() == nil, "the sender was done")
      // The status is written a little later, the first time too.
      try wait("its place in the status") { (try? status("live"))?.faults == ["wrong-shape"] }
      #expect(try status("live").faultDetails == ["wrong-shape": detail])
      #expect(try Command.run("status", folder.file("live-run")).output.contains("dropped: wrong-shape"))
      try command.process.signal(SIGTERM)
      let outcome = try command.end()
      #expect(outcome.status == .exited(75) && outcome.errors.components(separatedBy: line).count == 2)
      #expect(outcome.errors.contains("before its first projection"), "\(outcome.errors)")
      #expect(try detector.end().status == .exited(0))
    }

    @Test func `More images a second than the disk takes are refused before the first`() throws {
      let address = "zmq+pull://127.0.0.1:9"
      expectFailure(
        73, try recon(address, "out", shape + ["--rate", "1e9"]).end(), "--rate 1000000000.0", "a second on disk")
      #expect(!FileManager.default.fileExists(atPath: folder.file("out")))
    }

    @Test func `A live source that is not described, or wrongly, is refused in one line`() throws {
      let address = "zmq+pull://127.0.0.1:9"
      expectFailure(64, try recon(address, "out").end(), "--shape", address)
      expectFailure(64, try recon(address, "out", ["--shape", "4,48"]).end(), "--projections")
      expectFailure(64, try recon("zmq+pull://127.0.0.1", "out").end(), "port")
      expectFailure(64, try recon("zmq+push://127.0.0.1:9", "out").end(), "zmq+pull")
      expectFailure(
        64, try recon(address, "out", shape + ["--rotation-axis", "auto", "--field-of-view", "half"]).end(),
        "--field-of-view half", "--rotation-axis")
      expectFailure(64, try recon(scan, "out", shape).end(), "--shape")
      expectFailure(
        65, try recon(address, "out", ["--shape", "4,48", "--projections", "3", "--fields", scan]).end(), "--fields",
        "5 × 48")
      expectFailure(64, try Command.run("simulate", "--stream", "zmq+push://0.0.0.0:0"), "--any-interface")
      #expect(!FileManager.default.fileExists(atPath: folder.file("out")))
    }
  }
}

/// A port that nobody listens at. Another process may take it before it is used, which is improbable: the system gives
/// out others first.
func freePort() throws -> Int {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  try #require(descriptor >= 0)
  defer { close(descriptor) }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  var length = socklen_t(MemoryLayout<sockaddr_in>.size)
  let result = withUnsafeMutablePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
    }
  }
  try #require(result)
  return Int(UInt16(bigEndian: address.sin_port))
}
